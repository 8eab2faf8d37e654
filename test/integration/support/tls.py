"""A certificate authority of a test's own, by the openssl command."""

import os
import shutil
import subprocess

from support.story import Skip

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    def __init__(self, folder, name):
        if not shutil.which("openssl"):
            raise Skip("no openssl; scripts/setup.sh test installs it")
        self.folder = folder / name
        self.folder.mkdir()
        self.ca = self.folder / "ca.pem"
        self._run("req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                  "-subj", f"/CN={name}")

    def _run(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, *alternatives):
        """name.pem and name.key, for names such as DNS:host and IP:127.0.0.1; anew each time."""
        extensions = f"subjectAltName={','.join(alternatives)}\n" if alternatives else ""
        (self.folder / f"{name}.ext").write_text(extensions)
        self._run("req", *KEY, "-keyout", f"{name}.new.key", "-out", f"{name}.csr", "-subj",
                  f"/CN={name}")
        self._run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                  "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out",
                  f"{name}.new.pem")
        for end in ("key", "pem"):
            os.replace(self.folder / f"{name}.new.{end}", self.folder / f"{name}.{end}")
        return Certificate(self, name)


class Certificate:
    def __init__(self, authority, name):
        self.cert = authority.folder / f"{name}.pem"
        self.key = authority.folder / f"{name}.key"
        self.ca = authority.ca

    def lock_key(self, passphrase):
        """The key is of no use without it."""
        locked = self.key.with_suffix(".locked")
        subprocess.run(["openssl", "ec", "-in", self.key, "-aes128", "-passout",
                        f"pass:{passphrase}", "-out", locked], check=True, capture_output=True)
        os.replace(locked, self.key)

    def settings(self, **more):
        return {"TLS_CERT": self.cert, "TLS_KEY": self.key, "TLS_CA": self.ca, **more}

    def flags(self):
        return "-tls-cert", self.cert, "-tls-key", self.key, "-tls-ca", self.ca
