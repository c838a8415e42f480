"""Those that are measured, in the order of the tables."""

from .envoy import Envoy
from .go import Go
from .haproxy import HAProxy
from .m2m_proxy import M2MProxy
from .mitmproxy import Mitmproxy
from .nginx import Nginx
from .peer import Peer, Role, Running
from .squid import Squid

PEERS: dict[str, Peer] = {peer.name: peer for peer in [M2MProxy(), Nginx(), HAProxy(), Envoy(), Go(), Squid(), Mitmproxy()]}
