"""Paths that servers read in different ways, and paths that real applications send. All of them are ASCII."""

import random
import re
from urllib.parse import quote

# What some server reads as a single slash at the root.
SEPARATORS = [
    "/", "//", "///", "/./", "/././", "/%2e/", "/%2E/", "/.//", "/./%2e/", "/x/../", "/x/y/../../", "/x/%2e%2e/",
    "/x/.%2e/", "/x/%2E./", "/x/..//", "/x//../", "/x/./../", "/../", "/%2e%2e/", "/x/../../", "/..//", "/%2f",
    "/%2F", "%2f", "/%2f%2f", "/.%2f", "/%2e%2f", "/x/..%2f", "/x%2f../", "/x%2f..%2f", "/x%2F%2e%2e%2F",
    "/x%2f%2e%2e/", "/%5c", "/%5C", "%5c", "/.%5c", "/x/..%5c", "/x%5c../", "/x%5c..%5c", "/%5c%5chost/",
    "/x/%5c../", "//host/", "//host:80/", "///host/", "/x//host/../../", "//user@host/", "//host%2f", "//..//",
    "//%2e%2e/", "/%2fhost/", "%2f%2fhost/", "//%68ost/", "////host//", "//host:x/", "//[::1]/", "//host%5c",
    "/.//host/", "/x/..//host/", "/%2e/%2fhost/", "/x/..%2f/host/", "/;//host/", "/;/", "/;x/", "/;x=1/", "/.;/",
    "/.;x/", "/%2e;/", "/x/..;/", "/x/..;x=1/", "/x/%2e%2e;/", "/x/%2e%2e;x/", "/x;y/../", "/x;y/..;z/", "/..;/",
    "/;/../", "/x/;/../", "/x/;../", "/%3b/", "/%3bx/", "/x/..%3b/", "/x/..%3bx/", "/x;%2f../", "/x;/..%2f",
    "/%252f", "%252f", "/%252e/", "/x/%252e%252e/", "/x/%252e%252e%252f", "/x/..%252f", "/x%252f..%252f",
    "/x/%252E%252E/", "/x/%25%32%65%25%32%65/", "/x/%2%65%2%65/", "/%255c", "/x%255c..%255c", "/x/..%255c",
    "/x/%25252e%25252e/", "/%25252f", "/x/..%253b/", "/%c0%af", "/x/%c0%ae%c0%ae/", "/x%c0%af..%c0%af",
    "/x/..%c0%af", "/x/%c0%2e%c0%2e/", "/x/%e0%80%ae%e0%80%ae/", "/x%e0%80%af..%e0%80%af",
    "/x/%f0%80%80%ae%f0%80%80%ae/", "/x/%c0%ae./", "/x/.%c0%ae/", "/%e0%80%af", "/%c1%9c", "/x%c1%9c..%c1%9c",
    "/%ef%bc%8f", "/x/%ef%bc%8e%ef%bc%8e/", "/x/%25uff0e%25uff0e/", "/%25u002f", "/x/%25u002e%25u002e/",
    "/x/%25u002e./", "/%25u005c", "/%u002f", "/%ff/", "/%ff../", "/x/.%ff./", "/x/..%ff/", "/x/%80../",
    "/x/.%c2./", "/x/%e2%80../", "/%20/", "/x/..%20/", "/x/..%09/", "/x/.../", "/x/.%2e./", "/x/%2e%2e%20/",
    "/x/..%2e/", "/%09/", "/%0a/", "/x/..%0a/", "/x/.%0a./", "/x/.%09./", "/x/%0d../", "/x/..%0d/", "/%01/",
    "/x/%00../", "/x/..%00/", "/x%3f/../", "/x%23/../", "/x/..%3f/", "/x/..%23/", "/*/../", "/x/~/../../",
    "/x/%7e/../../", "/x/*/../../", "/x.y/../", "/x/a..b/../../",
    "/x/%20../", "/%20./", "/%20%09/", "/(S(x))/", "/x/..(S(x))/", "/(X(1)S(x))/", "/x/::$DATA/../../",
    "/(S(a))/(F(b))/", "/x:$i30:$INDEX_ALLOCATION/../",
]

# What leads to the parent directory, for some server.
UPS = [
    "../", "%2e%2e/", ".%2e/", "%2E./", "..%2f", "%2e%2e%2f", "..%2F", "..%5c", "%2e%2e%5c", "..;/", "..;x/",
    "..;x=1/", "%2e%2e;/", "..%3b/", "%252e%252e/", ".%252e/", "..%252f", "%252e%252e%252f", "..%255c",
    "%c0%ae%c0%ae/", "..%c0%af", "%e0%80%ae%e0%80%ae/", "..%e0%80%af", "..%c1%9c", "%25u002e%25u002e/",
    "%25uff0e%25uff0e/", "..%25u002f", "..%25u2215", "%ef%bc%8e%ef%bc%8e/", "..%ef%bc%8f", "..%20/", "..%09/",
    ".../", "..%00/", "..%0a/", ".%ff./", ".%0a./", "..//", "..%2f/", "..%23/", "..%3f/",
]

# What can stand before them, and is not a directory to some server.
ADDED = [
    "", "a/", "a%2fb/", "a%2f%2fb/", "a%252fb/", "a%5cb/", "a%255cb/", "a;x/", "a;x%2fy/", "a%c0%afb/",
    "a%25u002fb/", "a%ef%bc%8fb/", ";x/", ";/", "./", "%2e/", "%252e/", ".;/", ".%20/", "/", "//", "%2f", "%2f/",
    "%5c/", "%20/", ".../", "%0a/", "%ff/", "..;/", "..%2f", "a/..;/", "a/%2e%2e/", "b%3f/", "b%23/", "a/./",
    "a//", "a/%2f/", "%20%2e/", "*/",
]

# How to write a segment that some server takes for the word in the place of {}.
AFFIXES = [
    "{};", "{};x", "{};x=1;y", "{}%3b", "{}%3bx", "{}.", "{}..", "{}%2e", "{}%20", "{}%20.", "{}%09", "{}%0a",
    "{}%0d", "{}%0b", "{}%00", "{}%00.jpg", "{}%01", "{}%7f", "{}%3f", "{}%3fx", "{}%3fx=/", "{}%23", "{}%23x",
    "{}%5c", "{}%5cx", "{}%2f", "{}%2fx", "{}%252f", "{}%255c", "{}%2500", "{}%250a", "{}%253f", "{}%c0%af",
    "{}%c0%80", "{}%ef%bc%8f", "{}%25u002f", "{}%c2%a0", "{}%e2%80%8b", "{}%ff", "{}%c0", "%ff{}", "%20{}",
    "%09{}", "%0a{}", "%0d{}", "%01{}", "{}::$DATA", "{}:$i30:$INDEX_ALLOCATION/", "{}::$INDEX_ALLOCATION/x", "{}(S(x))", "{}/(S(x))",
    "(S(x)){}", "%20%20{}", "{}~1", "{}.php", "{}%2ephp", ";x{}", ";{}", "{}*", "%c2{}",
    "{}%2e%2e", "{}%2e%20", "{}%2520", "{}%253b",
]

# What follows a name.
TAILS = [
    "", "/", "/secret", "//", "/.", "/x/..", "/%2e", "/secret;v=1", "/;/secret", "%2fsecret", "/..", "/../{}",
    "/x%2f..", "?",
]

# In most scripts; some of the characters have other forms that mean the same.
_NAMES = [
    "Zoë Müller", "Ærøskøbing", "Łódź", "Страница", "Ελλάδα", "日本語", "한국어", "中文网页", "עברית", "العربية", "हिन्दी",
    "ไทย", "ქართული", "Tiếng Việt", "ﬁ", "ＡＢＣ", "½", "naïve–dash—long", "“quoted”", "…", "a\u00a0b",
]

# After the slash.
ORDINARY = [
    "", "orders", "orders/", "orders/42", "orders/7f3c1b0e-8d1a-4c53-9b7e-0d1f3a5c7e9b", "users/ann@mail.example",
    "users/ann%40mail.example", "users/ann+news@mail.example", "files/report%20v1.2%20(final).pdf",
    "files/file.tar.gz", "files/.hidden", ".well-known/openid-configuration", ".well-known/acme-challenge/x_y-z",
    "a..b", "files/a..b/c...d", "notes/..x", "notes/x..", "v1.0/items", "v1.0/",
    "projects/group%2Fproject/files/src%2Fmain.rb/raw", "@scope%2fname", "items/ab%2Fcd", "vhosts/%2F/queues",
    "discount%2520", "discounts/20%25", "discounts/100%25%20off", "a%25b/c", "wiki/C%2B%2B", "tags/c%23",
    "search/what%3F", "a+b", "a%2Bb%2Fc%3D%3D", "base64/abc%3D%3D", "Orders(1)/Items('a')", "Orders('a%27b')",
    "$metadata", "$batch", "a,b,c", "a:b", "urn:isbn:0451450523", "manifests/sha256:abcdef",
    "namespaces/x/services/https:name:443/proxy/", "~ann", "%7Eann", "a~b", "a!b*c", "a=b&c=d",
    "cars;color=red/wheels;v=1", "orders;v=1", "orders;v=1/", "orders/42;jsessionid=0123ABCD", "a;b=1,2;c=3",
    "a%7Cb", "%5Bx%5D", "[x]", "%7Bid%7D", "a%22b%22", "a%3Cb%3E", "a%5Eb", "a%60b", "path/with%20spaces/in%20it",
    "x%20", "%20x", "a%3Bb", "a%2Cb", "a%3Ab", "2026-11-30T03:22:11Z", "2026-11-30T03%3A22%3A11%2B01%3A00",
    "administrator", "admin-tools", "admins", "public2", "api/admin", "api/admin/users", "x/admin",
    "publications/", "emoji/%F0%9F%98%80", "e/cafe%CC%81", "file%20(1).txt",
    "orders?next=/../admin&x=%2e%2e/admin&y=//admin", "orders?", "orders?a=b/c;d?e", "orders/?q=%2Fadmin%00",
    "a/b/c/d/e/f/g", "compare/v1.0..v2.0", "compare/main...feature", "wiki/Inc.", "wiki/Dr./x", "wiki/etc...",
    "fetch/https://example.com/a/b", "fetch/https%3A%2F%2Fexample.com%3A8080%2Fa%3Fx%3D1%23f", "fetch/%2568ttps%253A",
    "files/C%3A%5CUsers%5Cx.txt", "q/%7B%22a%22%3A%5B1%2C%7B%22b%22%3A%22x%2Fy%22%7D%5D%7D", "admin.html", "admin%20panel",
    "files/" + "abc%2F" * 300 + "x", "files/" + "a%20" * 1000 + "x", "cars" + "/a;v=1" * 300,
    *("names/" + quote(name) for name in _NAMES),
]

# Unusual, but every server takes them for paths of the same territory.
HARMLESS = [
    "a//b", "a/./b", "a/b/../c", "a/b/%2e%2e/c", "a/.", "a/b/..", "a/%2e", "a//", "%61bc", "%6Frders/42", "a%5Cb",
    "a;/b", "a/b%2F..%2Fc", "a%252Fb", "a/%252e/b", "a%0ab", "a%ffb", "a%c0%afb",
]


def _one_by_one(word: str, form: str) -> list[str]:
    return [word[:at] + form.format(ord(letter)) + word[at + 1:] for at, letter in enumerate(word)]


def overlong(code: int, length: int) -> str:
    """An ASCII character in UTF-8 of that many bytes, percent-encoded."""
    tail = [0x80 | code >> 6 * place & 0x3F for place in range(length - 1)][::-1]
    lead = {2: 0xC0, 3: 0xE0, 4: 0xF0}[length] | (code >> 6 * (length - 1))
    return "".join(f"%{byte:02x}" for byte in [lead, *tail])


def spellings(word: str) -> list[str]:
    """Ways to write a word, all of which mean it to some server."""
    every = ["%{:02x}", "%{:02X}", "%25{:02x}", "%2525{:02x}", "%25u00{:02x}", "%U00{:02x}"]
    written = [word, word.upper(), word.title()]
    for form in every:
        written += _one_by_one(word, form)
        written.append("".join(form.format(ord(letter)) for letter in word))
    for length in [2, 3, 4]:
        written.append(overlong(ord(word[0]), length) + word[1:])
        written.append("".join(overlong(ord(letter), length) for letter in word))
    digits = ["".join(f"%{ord(digit):02x}" for digit in f"{ord(letter):02x}") for letter in word]
    doubled = "".join(f"%25{digit}" for digit in digits)
    fullwidth = "".join(quote(chr(ord(letter) + 0xFEE0)) for letter in word)
    noise = ["%0a", "%0d", "%09", "%00", "%ff", "%c2", "%ad", "%e2%80%8b", "%c0%80"]
    written += [word[:2] + added + word[2:] for added in noise]
    return [*written, doubled, fullwidth, *(affix.format(word) for affix in AFFIXES)]


def _encoded(character: str, choose: random.Random) -> str:
    code = ord(character)
    high, low = f"{code:02x}"
    return choose.choice([
        f"%{code:02x}", f"%{code:02X}", f"%25{code:02x}", f"%25%{ord(high):02x}{low}", f"%2525{code:02x}",
        f"%25u00{code:02x}", overlong(code, 2), overlong(code, 3)])


def mixed(path: str, choose: random.Random) -> str:
    """The path with some of its characters written in other ways, and what means nothing put between its segments."""
    written, often = "", choose.choice([0.03, 0.1, 0.4])
    for at, character in enumerate(path):
        # The first slash is what makes it a path.
        if at and choose.random() < often:
            written += _encoded(character, choose)
        elif character == "/" and choose.random() < 0.3:
            written += choose.choice([
                "//", "/./", "/%2e/", "/;x/", "/.;/", ";v=1/", "/a/../", "/a/..;/", "/a%2f../", "/a%5c..%5c"])
        else:
            written += character
    return written


def reaching(word: str, count: int, choose: random.Random) -> list[str]:
    """Paths that some server takes for `/word`, and `count` mixtures of what is in them."""
    paths = [separator + word + tail for separator in SEPARATORS for tail in ["", "/secret"]]
    paths += ["/" + spelling + tail for spelling in spellings(word) for tail in ["", "/secret"]]
    paths += ["/" + word + tail.format(word) for tail in TAILS]
    for _ in range(count // 2):
        paths.append(choose.choice(SEPARATORS) + choose.choice(spellings(word)) + choose.choice(TAILS).format(word))
    plain = [
        f"/{word}", f"/{word}/secret", f"/x/../{word}", f"/x/y/../../{word}/secret", f"//{word}", f"/./{word}/",
        f"/{word}/.."]
    paths += [mixed(choose.choice(plain), choose) for _ in range(count - count // 2)]
    return _once(paths)


def climbing(prefix: str, word: str, count: int, choose: random.Random) -> list[str]:
    """Paths that begin with `prefix` and that some server takes for `word` beside it, and `count` mixtures."""
    paths = [f"{prefix}/{added}{'../' * times}{word}{tail}" for added in ADDED for times in [1, 2, 3]
             for tail in ["", "/secret"]]
    paths += [f"{prefix}/{added}{up * times}{word}" for added in ["", "a/", "a%2fb/"] for up in UPS for times in [1, 2]]
    paths += [f"{prefix}{separator}../{word}" for separator in SEPARATORS]
    paths += [f"{prefix}/../{spelling}" for spelling in spellings(word)]
    for _ in range(count // 2):
        added = "".join(choose.choices(ADDED, k=choose.choice([0, 1, 1, 2, 3])))
        ups = "".join(choose.choices(["../"] * 8 + UPS, k=choose.choice([1, 1, 2, 2, 3, 4])))
        paths.append(f"{prefix}/{added}{ups}{choose.choice(['', choose.choice(ADDED)])}{word}")
    plain = [
        f"/../{word}", f"/a/../../{word}/secret", f"/a/b/../../../{word}", f"/./../{word}", f"/a/../b/../../{word}",
        "/../x", "/.."]
    paths += [prefix + mixed(choose.choice(plain), choose) for _ in range(count - count // 2)]
    return _once(paths)


def _once(paths: list[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if path.startswith("/")]


def is_valid(path: str) -> bool:
    """Whether it is a path by RFC 3986. The proxy rejects the others, and those with a NUL, for that alone."""
    return not re.search(r"%(?![0-9A-Fa-f]{2})|%00|[^!-~]|[\"<>\\\\^`{|}]", path.split("?")[0])
