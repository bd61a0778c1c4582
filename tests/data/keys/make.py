#!/usr/bin/env python3
"""Makes the keys and signatures of this directory anew, here; needs openssl 3 and nothing else.

Private keys live in a temporary directory and end with it. `p256.*`, `rsa3072.*` and `other.pub`
are not made here: mender-artifact made them (README.md).
"""
import base64, hashlib, os, secrets, subprocess, tempfile

MESSAGE = open("p256.manifest", "rb").read()
DIGEST = hashlib.sha256(MESSAGE).digest()
TABLE = ["# made by make.py: verdict, key, base64 of the signature over p256.manifest, what it is"]


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *args], input=stdin, check=True, capture_output=True).stdout


def row(verdict, key, raw, what):
    TABLE.append(" ".join([verdict, key, base64.b64encode(raw).decode(), what]))


# --- keys -----------------------------------------------------------------------------------
def rsa_key(name, bits, e=65537):
    path = f"{tmp}/{name}.key"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}",
            "-pkeyopt", f"rsa_keygen_pubexp:{e}", "-out", path)
    openssl("pkey", "-in", path, "-pubout", "-out", f"{name}.pub")
    return path


def rsa_numbers(path):
    text = openssl("rsa", "-in", path, "-noout", "-text").decode()
    def number(label, until):
        return int(text.split(label)[1].split(until)[0].replace(":", "").replace("\n", "")
                   .replace(" ", ""), 16)
    return number("modulus:", "publicExponent"), number("privateExponent:", "prime1")


def other_keys():
    for name, args in {
        "ed25519": ["-algorithm", "ed25519"],
        "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "secp256k1": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
        "rsapss": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    }.items():
        key = openssl("genpkey", *args)
        openssl("pkey", "-pubout", "-out", f"{name}.pub", stdin=key)
    for name, flag in {"compressed": ["-conv_form", "compressed"],
                       "explicit": ["-param_enc", "explicit"]}.items():
        openssl("ec", "-pubin", "-in", "p256.pub", *flag, "-out", f"p256-{name}.pub")
    for bits in (1024, 2040, 4104):
        rsa_key(f"rsa{bits}", bits)
    openssl("rsa", "-pubin", "-in", "rsa3072.pub", "-RSAPublicKey_out", "-out",
            "rsa3072-pkcs1.pub")


# --- RSA ------------------------------------------------------------------------------------
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")
SHA384 = bytes.fromhex("3041300d060960864801650304020205000430")
SHA512 = bytes.fromhex("3051300d060960864801650304020305000440")


def padded(size, tail, head=b"\0\1", fill=b"\xff", end=b"\0"):
    return head + fill * (size - len(head) - len(end) - len(tail)) + end + tail


def rsa_tricks(size):
    good = padded(size, SHA256 + DIGEST)
    garbage = lambda used: secrets.token_bytes(size - used)
    short = b"\0\1" + b"\xff" * 8 + b"\0" + SHA256 + DIGEST
    no_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST
    long_form = bytes.fromhex("308131300d060960864801650304020105000420") + DIGEST
    flipped = bytearray(good); flipped[100] = 0xfe
    early = bytearray(good); early[100] = 0
    yield short + garbage(len(short)), "eight bytes of padding and garbage after the digest"
    yield good[:2] + good[5:] + b"abc", "three bytes of garbage after the digest"
    yield good[2:] + b"\0\0", "shifted by two bytes"
    yield b"\0" * (size - len(short)) + short, "short padding behind zeros"
    yield bytes(flipped), "one bit of the padding differs"
    yield bytes(early), "the padding ends early"
    yield padded(size, SHA256 + DIGEST, head=b"\0\2"), "block type 2"
    yield padded(size, SHA256 + DIGEST, head=b"\0\0", fill=b"\0"), "block type 0"
    yield padded(size, SHA256 + DIGEST, head=b"\1\1"), "the first byte is not zero"
    yield padded(size, SHA256 + DIGEST, end=b"\1"), "no zero before the DigestInfo"
    yield padded(size, SHA256 + DIGEST, fill=b"\0"), "zeros for padding"
    yield padded(size, SHA256 + DIGEST[::-1]), "another digest"
    yield padded(size, SHA256 + DIGEST[:-1]), "a digest too short"
    yield padded(size, SHA256 + DIGEST + b"\0"), "a digest too long"
    yield padded(size, DIGEST), "no DigestInfo"
    yield padded(size, no_null), "no NULL in the DigestInfo"
    yield padded(size, long_form), "a long form length in the DigestInfo"
    yield padded(size, SHA256[:-2] + b"\x05\x00" + b"\x04\x20" + DIGEST), "two NULLs"
    for name, info in (("sha1", SHA1), ("sha384", SHA384), ("sha512", SHA512)):
        digest = hashlib.new(name, MESSAGE).digest()
        yield padded(size, info + digest), f"made with {name}"
    sha1_with_sha256 = SHA1[:-1] + b"\x20" + DIGEST
    yield padded(size, sha1_with_sha256), "the SHA-256 digest under the name of SHA-1"


def rsa_refused():
    key = rsa_key("rsa2048", 2048)
    n, d = rsa_numbers(key)
    sign = lambda encoded: pow(int.from_bytes(encoded, "big"), d, n).to_bytes(256, "big")
    row("signed", "rsa2048", sign(padded(256, SHA256 + DIGEST)), "the same made by hand")
    row("signed", "rsa2048", openssl("dgst", "-sha256", "-sign", key, "p256.manifest"), "openssl's")
    for encoded, what in rsa_tricks(256):
        row("other", "rsa2048", sign(encoded), what)
    pss = openssl("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sign", key,
                  "p256.manifest")
    row("other", "rsa2048", pss, "PSS")
    for number, what in ((0, "zero"), (1, "one"), (n - 1, "the modulus less one"),
                         (n, "the modulus"), (2**2048 - 1, "all ones")):
        row("other", "rsa2048", number.to_bytes(256, "big"), what)


def rsa_sizes():
    for bits in (2050, 3072, 4096):
        name = f"rsa{bits}" + ("-b" if bits == 3072 else "")
        key = rsa_key(name, bits)
        raw = openssl("dgst", "-sha256", "-sign", key, "p256.manifest")
        row("signed", name, raw, f"openssl's of {bits} bits")
        n, _ = rsa_numbers(key)
        number = int.from_bytes(raw, "big")
        if bits == 2050:
            row("other", name, (number + n).to_bytes(257, "big"), "the modulus added")
        if bits != 4096:
            row("length", name, b"\0" + raw, "a zero byte in front")
            row("length", name, raw + b"\0", "a zero byte behind")
        row("length", name, raw[:-1], "one byte short")


def cube_root(number):
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def forged():
    """Bleichenbacher's forgery of 2006 needs no private key: it fills what a parser skips."""
    key = rsa_key("rsa2048-e3", 2048, 3)
    raw = openssl("dgst", "-sha256", "-sign", key, "p256.manifest")
    row("signed", "rsa2048-e3", raw, "openssl's with the exponent 3")
    head = b"\0\1" + b"\xff" * 8 + b"\0" + SHA256 + DIGEST
    root = cube_root(int.from_bytes(head + b"\0" * (256 - len(head)), "big") + 1)
    assert (root**3).to_bytes(256, "big").startswith(head)
    row("other", "rsa2048-e3", root.to_bytes(256, "big"), "a forged cube root")


# --- P-256, by hand, as no tool makes the odd ones ------------------------------------------
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
Z = int.from_bytes(DIGEST, "big")


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = ((3 * a[0]**2 - 3) * pow(2 * a[1], -1, P) if a == b
             else (b[1] - a[1]) * pow(b[0] - a[0], -1, P))
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    while k:
        total = add(total, point) if k & 1 else total
        point, k = add(point, point), k >> 1
    return total


def write_point(name, q):
    spki = (bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\4"
            + q[0].to_bytes(32, "big") + q[1].to_bytes(32, "big"))
    openssl("pkey", "-pubin", "-inform", "DER", "-out", f"{name}.pub", stdin=spki)


def raw(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def tlv(tag, value):
    return bytes([tag, len(value)]) + value


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def der(r, s):
    return tlv(0x30, integer(r) + integer(s))


def ecdsa(d, wanted):
    while True:
        k = secrets.randbelow(N - 1) + 1
        r = times(k, G)[0] % N
        s = pow(k, -1, N) * (Z + r * d) % N
        if r and s and wanted(r, s):
            return r, s


def p256_rows():
    d = secrets.randbelow(N - 1) + 1
    write_point("p256-b", times(d, G))
    top = lambda x: x >> 255
    r, s = ecdsa(d, lambda r, s: top(r) and top(s))
    ok = lambda what, *bytes_: [row("signed", "p256-b", b, what) for b in bytes_]
    ok("both numbers with the highest bit", raw(r, s), der(r, s))
    ok("the other s", raw(r, N - s), der(r, N - s))
    small = ecdsa(d, lambda r, s: r < 2**248)
    ok("r begins with a zero byte", raw(*small), der(*small))
    small = ecdsa(d, lambda r, s: s < 2**248)
    ok("s begins with a zero byte", raw(*small), der(*small))
    no = lambda what, *bytes_: [row("form", "p256-b", b, what) for b in bytes_]
    for a, b, what in ((0, s, "r is 0"), (r, 0, "s is 0"), (0, 0, "both are 0"),
                       (N, s, "r is the order"), (r, N, "s is the order"),
                       (2**256 - 1, s, "r is all ones"), (r, 2**256 - 1, "s is all ones")):
        no(what, raw(a, b), der(a, b))
    no("s has the order added", der(r, s + N))
    no("r has the order added", der(r + N, s))
    p256_encodings(r, s, no)
    row("other", "p256-b", raw(s, r), "r and s swapped")
    row("other", "p256-b", raw(1, 1), "both are 1")
    row("other", "p256-b", raw(r, s)[::-1], "little-endian") if int.from_bytes(
        raw(r, s)[::-1][:32], "big") < N else None


def p256_encodings(r, s, no):
    ints = integer(r) + integer(s)
    content = lambda x: integer(x)[2:]
    no("one byte behind the sequence", der(r, s) + b"\0")
    no("one byte more in the sequence", tlv(0x30, ints + b"\0"))
    no("three numbers", tlv(0x30, ints + integer(1)), tlv(0x30, integer(5) * 3))
    no("one number", tlv(0x30, integer(r)))
    no("no number", tlv(0x30, b""))
    no("indefinite length", b"\x30\x80" + ints + b"\0\0")
    no("a long form length", b"\x30\x81" + bytes([len(ints)]) + ints)
    no("a long form length of r", tlv(0x30, b"\2\x81\x21" + content(r) + integer(s)))
    no("a leading zero of r", tlv(0x30, tlv(2, b"\0" + content(r)) + integer(s)))
    no("a leading zero of s", tlv(0x30, integer(r) + tlv(2, b"\0" + content(s))))
    no("a negative r", tlv(0x30, tlv(2, content(r)[1:]) + integer(s)))
    no("a negative s", tlv(0x30, integer(r) + tlv(2, content(s)[1:])))
    no("an empty r", tlv(0x30, tlv(2, b"") + integer(s)))
    no("a set", tlv(0x31, ints))
    no("r is an octet string", tlv(0x30, tlv(4, content(r)) + integer(s)))
    no("a sequence that says too much", b"\x30" + bytes([len(ints) + 1]) + ints)
    no("a sequence that says too little", b"\x30" + bytes([len(ints) - 1]) + ints)
    no("hexadecimal", raw(r, s).hex().encode())
    no("raw with a zero byte before each", b"\0" + r.to_bytes(32, "big") + b"\0"
       + s.to_bytes(32, "big"))
    no("raw, one byte more", raw(r, s) + b"\0", b"\0" + raw(r, s))
    no("raw, one byte less", raw(r, s)[:-1], raw(r, s)[1:])


def p256_lengths():
    """Chooses s, finds the key: a DER signature of 64 bytes, which is as long as a raw one."""
    k = next(k for k in iter(lambda: secrets.randbelow(N), None) if times(k, G)[0] >> 255 == 0
             and times(k, G)[0] >> 247)
    r, s = times(k, G)[0], secrets.randbits(206) | 1 << 206
    write_point("p256-der64", times((s * k - Z) * pow(r, -1, N) % N, G))
    assert len(der(r, s)) == 64
    row("signed", "p256-der64", der(r, s), "DER of 64 bytes")
    row("signed", "p256-der64", raw(r, s), "the same raw")
    row("form", "p256-der64", raw(r, s + N), "a small s has the order added")
    row("form", "p256-der64", der(r, s + N), "a small s has the order added, DER")
    x = next(x for x in range(1, 100) if pow(x**3 - 3 * x + B, (P - 1) // 2, P) == 1)
    y = pow(x**3 - 3 * x + B, (P + 1) // 4, P)
    q = times(pow(x, -1, N), add(times(1, (x, y)), times(N - Z, G)))
    write_point("p256-der8", q)
    row("signed", "p256-der8", der(x, 1), "DER of 8 bytes, the shortest")
    row("signed", "p256-der8", raw(x, 1), "the same raw")
    row("form", "p256-der8", raw(x + N, 1), "a small r has the order added")
    row("form", "p256-der8", der(x + N, 1), "a small r has the order added, DER")


with tempfile.TemporaryDirectory() as tmp:
    other_keys()
    rsa_refused()
    rsa_sizes()
    forged()
    p256_rows()
    p256_lengths()
open("signatures.txt", "w").write("\n".join(TABLE) + "\n")
