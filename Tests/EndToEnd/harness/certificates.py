"""A certificate authority made for one run, and the certificates that a test needs: right ones and wrong ones."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID


@dataclass
class Certificate:
    certificate: Path
    key: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class CertificateAuthority:
    """A root, or, with an `issuer`, an authority below that one."""

    def __init__(self, directory: Path, name: str = "test CA", issuer: "CertificateAuthority | None" = None,
                 key=None):
        self._directory = directory
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._build(
            self._name, issuer._name if issuer else self._name, self._key.public_key(),
            issuer._key if issuer else self._key, [(x509.BasicConstraints(ca=True, path_length=None), True)])
        self.file = directory / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, label: str, *hosts: str, days: float = 2, self_signed: bool = False, subject: str | None = None,
              alternative_names: bytes | None = None, key_type: str = "ec") -> Certificate:
        """A certificate for `hosts`, among them `uri:URI` and `email:ADDRESS`; without any it has no alternative names, unless
        `alternative_names` is the extension, whatever its bytes mean. With negative `days` it expired that long
        ago. The subject is `CN=label` unless `subject` says otherwise (RFC 4514)."""
        key = rsa.generate_private_key(65537, 2048) if key_type == "rsa" else ec.generate_private_key(ec.SECP256R1())
        extensions = [(x509.BasicConstraints(ca=False, path_length=None), True)]
        if hosts:
            extensions.append((x509.SubjectAlternativeName([self._alternative(host) for host in hosts]), False))
        if alternative_names is not None:
            raw = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, alternative_names)
            extensions.append((raw, False))
        subject = x509.Name.from_rfc4514_string(subject) if subject else _name(label)
        certificate = self._build(
            subject, subject if self_signed else self._name, key.public_key(), key if self_signed else self._key,
            extensions, days)
        result = Certificate(self._directory / f"{label}.pem", self._directory / f"{label}.key")
        result.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        result.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return result

    def revocation_list(self, *revoked: "Certificate | CertificateAuthority", days: float = 2) -> bytes:
        """Its list of revoked certificates, as PEM. With negative `days` it expired that long ago."""
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self._name, last_update=now - datetime.timedelta(days=30),
            next_update=now + datetime.timedelta(days=days))
        for each in revoked:
            path = each.file if isinstance(each, CertificateAuthority) else each.certificate
            number = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(number, now).build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def key_bytes(self) -> bytes:
        """Its private key, as PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @staticmethod
    def _alternative(host: str) -> x509.GeneralName:
        if host.startswith("uri:"):
            return x509.UniformResourceIdentifier(host.removeprefix("uri:"))
        if host.startswith("email:"):
            return x509.RFC822Name(host.removeprefix("email:"))
        try:
            return x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            return x509.DNSName(host)

    @staticmethod
    def _build(subject, issuer, public_key, signing_key, extensions, days: float = 2) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        start = now - datetime.timedelta(days=30)
        builder = x509.CertificateBuilder(
            issuer_name=issuer, subject_name=subject, public_key=public_key,
            serial_number=x509.random_serial_number(), not_valid_before=start,
            not_valid_after=now + datetime.timedelta(days=days))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signing_key, hashes.SHA256())
