"""A certificate authority made for one run, and the certificates that a test needs: right ones and wrong ones."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Certificate:
    certificate: Path
    key: Path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class CertificateAuthority:
    def __init__(self, directory: Path, name: str = "test CA"):
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._build(
            self._name, self._name, self._key.public_key(), self._key,
            [(x509.BasicConstraints(ca=True, path_length=0), True)])
        self.file = directory / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, label: str, *hosts: str, days: int = 2, self_signed: bool = False,
              subject: str | None = None) -> Certificate:
        """A certificate for `hosts`, among them `uri:URI` and `email:ADDRESS`. With negative `days` it expired that long
        ago. The subject is `CN=label` unless `subject` says otherwise (RFC 4514)."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([self._alternative(host) for host in hosts])
        subject = x509.Name.from_rfc4514_string(subject) if subject else _name(label)
        certificate = self._build(
            subject, subject if self_signed else self._name, key.public_key(), key if self_signed else self._key,
            [(names, False), (x509.BasicConstraints(ca=False, path_length=None), True)], days)
        result = Certificate(self._directory / f"{label}.pem", self._directory / f"{label}.key")
        result.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        result.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return result

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
    def _build(subject, issuer, public_key, signing_key, extensions, days: int = 2) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        start = now - datetime.timedelta(days=30)
        builder = x509.CertificateBuilder(
            issuer_name=issuer, subject_name=subject, public_key=public_key,
            serial_number=x509.random_serial_number(), not_valid_before=start,
            not_valid_after=now + datetime.timedelta(days=days))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signing_key, hashes.SHA256())
