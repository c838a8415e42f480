/// Private keys and certificates in PEM form. They are public: for tests only.
public enum ExampleKey {
  /// The key of RFC 7515, appendix A.2, as PKCS #8.
  public static let rsa = """
    -----BEGIN PRIVATE KEY-----
    MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
    jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
    aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
    juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
    ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
    toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
    VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
    PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
    O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
    kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
    XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
    4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
    pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
    0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
    lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
    kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
    rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
    kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
    5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
    9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
    evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
    yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
    OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
    tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
    ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
    03k2+ZQwVK0JKSHuLFkuQ3U=
    -----END PRIVATE KEY-----
    """
  /// The key of RFC 7515, appendix A.3, as PKCS #8.
  public static let p256 = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
    H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
    7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
    -----END PRIVATE KEY-----
    """
  /// The same as SEC 1.
  public static let p256SEC1 = """
    -----BEGIN EC PRIVATE KEY-----
    MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
    AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
    focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
    -----END EC PRIVATE KEY-----
    """
  /// The key of RFC 7515, appendix A.2, as PKCS #1.
  public static let rsaPKCS1 = """
    -----BEGIN RSA PRIVATE KEY-----
    MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0
    l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pC
    gNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSX
    ndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD
    Zlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8
    q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35S
    bEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf
    UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1O
    n95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyPSWGp6wuA+KgHRnKK
    Vf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f
    40493HDw1WRQ/aSLoS4QTp3rn7gYgeHEvfJdkkf0UMhlknlo53M09EFPdadQ4TlU
    bjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnE
    tfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPG
    BY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE
    fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYs
    p1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA+njbglfIsRLtXlnD
    zQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7
    DOX4IKjzdahm+ctDAJN4O/y7OW5FKebvUjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4
    U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm
    27kxuvULVeya+TEdAB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN
    54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC
    Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S
    0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5XMclbrjPbEC3YI1Z
    NqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE
    6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5NvmUMFStCSkh7ixZLkN1
    -----END RSA PRIVATE KEY-----
    """
  /// The P-256 key as PKCS #8, encrypted with the password `password`.
  public static let encrypted = """
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCAZlCdg2A+bbxysJ2a
    hHxTAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQARbzE/H0Aw94Gro8
    NIm2wgSBkH8O7gQd4V6QQ23HL3heF08DmjdxBLlEgNZbUK0ydYQ2SdydEF58b0re
    jtuFW3x9MJ61gJPTZZ+MGU0cr18Wsw3YOc/rXmP6tRKo51Sf8G8S5ziTeNVlgk43
    w/YQP2czQBxLqZbFKYoSoM3GptISHmLUAYmhTmiYC6bqwAkzlnsbSP0d2wUx/SS5
    Npwkeq36Ng==
    -----END ENCRYPTED PRIVATE KEY-----
    """
  /// The P-256 key in the encryption that OpenSSL used to have.
  public static let encryptedSEC1 = """
    -----BEGIN EC PRIVATE KEY-----
    Proc-Type: 4,ENCRYPTED
    DEK-Info: AES-256-CBC,E6A84842F55C504EAC8797E911F9C73A

    a0+o5zzAtRxfTa1kwTQZhw0tcVIRA9wNjkM6bvmAVkD/TIKYiODcsbot7QJkdY7e
    fb+3wLtgeA9DIQMw7/f1qxUcnub2wGfDGiD15FV/R2L1PuYx48aVN9tq/XnZwloq
    Dti1J0ZFqt1sHxsRqsQ7UgQzKL7g5PUjGAWUdki/K7Q=
    -----END EC PRIVATE KEY-----
    """
  /// An RSA key that is too short.
  public static let rsa1024 = """
    -----BEGIN PRIVATE KEY-----
    MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBANSoUh8jBgqeAbpr
    4vX0MD3pQtH2ZvFK1JHpfXaJ1FQEQsGFckDQSUpfPHCEnESZz+PCwNa3H2FildCj
    iuBY2AndOhHypoh+d5bSyMhkkIXK33mtgcOE+f3MvZMXZV07+mrLZDVQYC7B4HTQ
    v1Ji6o6Ps42XIL40gDpsoWQvpWjxAgMBAAECgYEAy6gDNZSKFaLqjskBi4B2ruP0
    PTXXsl9yoeZVZC9tK6UE9WZCW/XdKp94N12Ydk5DfKEnormvEMmkJjJpLp+HDHRm
    VnIQG1R5UsmVtufi8yWR57Cz2iiT5Jf2SR4LzmCZBchzxN5KEe8wn9tNrCYh7wO/
    VCmPf04rI9Q8fVKyC30CQQDr1fLsmUE8CKjZiKSMHmKkJCxyMwrU6n2NG8c3Q7dY
    pLe6idgkbGoJI0Ne7Ij5YkZqtgUN1vAqzzXvVMDJ7RBzAkEA5tcJ+JwfJmJzjDig
    /nUFWnBYBp9/0JS2AyW/FTrj44Zbwq8VBVq83V90ANyn3EtNd/slyLYlvgsm0+Ad
    Tgp8CwJBAJy53SuRGYIs+xE9tqSLmOAeTg9CjoM6pl89Q6IddV4KcTMdYi+qgLk7
    3wzZQpoAzm0iM6+j1I2OkPhRKaHH0rMCQQCZc63PNImIjL3fIu3y+XubiT8a+ACR
    eaodIYSK6mD/qRtqqdTBgHY4evG0ePqlePGAptWRPXSNhwBCrKMOc+3NAkAP8BD6
    ORJjpe8J6785Hg4zQ9k0n4W0qBg5SZXSyUvqXGaIW/EgCbIR41iXyvxG0/nhVZp8
    OzyQ+dQASzIMy8sV
    -----END PRIVATE KEY-----
    """
  /// A key on another curve.
  public static let p384 = """
    -----BEGIN PRIVATE KEY-----
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCyQ3Kw7ti/SDcFa0PU
    vZ3DK2dZRbn7wadxTK9KWuufmx4cmthwM+ObOasurusWdFahZANiAARIZfBQyZRN
    6gqeMCHDDJ6GlhWR3FWUYNMep5MPqJHqClpBB68o1uLRsnJBhriks3WCh92g/oIT
    vw3adsqCkqwLh/vIrVEeWZxyPGwJZgSg3BQsJ6CJLKjpXOFKZonD+H8=
    -----END PRIVATE KEY-----
    """
  /// A key on the largest curve.
  public static let p521 = """
    -----BEGIN PRIVATE KEY-----
    MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBXdKbO3/p49vY3htY
    AlE4LYnSTswtIjUyyuVldJwHhOLLjh8bSEnUEZOZs8/YVHOaLLnuFZ4iahpjBQRW
    400Onr+hgYkDgYYABADK+LU/f4CRvcpAWMyg/z+AKnm+uF+4RUhemzcOlfyuYmXw
    wBdIYNoxouv8k1XVMgojLxD1B5zqItXkmJGQMuowPwAFICCnH+wVW8joV0ZUEMxE
    VXF9a+hTkC3uwO+WrgQq6RcLlVoLzQxaAh5wJjj926KRREtowUjdca7YRUgZpb58
    sg==
    -----END PRIVATE KEY-----
    """
  /// A key on a curve that no registered algorithm here is for.
  public static let secp256k1 = """
    -----BEGIN PRIVATE KEY-----
    MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgDQ6etwIrAKzbuOxDypCM
    EOGL0R2HsFxiHdjR7llyhYWhRANCAARrv6vV2MtC0ZUBlZWlXlIBHyzj3sgdks0w
    n4PzKETav9P4BhDInsah8ZOLanvTCye5D1t2m+xU55yM9fBdpIQH
    -----END PRIVATE KEY-----
    """
  /// The key of RFC 8037, appendix A.1.
  public static let ed25519 = """
    -----BEGIN PRIVATE KEY-----
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    -----END PRIVATE KEY-----
    """
  /// A certificate for the P-256 key, valid until 2125.
  public static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBKjCB0KADAgECAhR4Gua/LLonVhcL06aCCC7wCTXXvTAKBggqhkjOPQQDAjAU
    MRIwEAYDVQQDDAltMm0tcHJveHkwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNTEyMDgw
    MDAwMDBaMBQxEjAQBgNVBAMMCW0ybS1wcm94eTBZMBMGByqGSM49AgEGCCqGSM49
    AwEHA0IABH/Nzidw9sRdQYPL7m/bS3tYBzM1e+nvE7rPbjx70VRFx/FEzRu9m36H
    LN/tue659LNpXW6pCyStikYjKIWI5a0wCgYIKoZIzj0EAwIDSQAwRgIhALO26aNy
    tZufd4sRlcSUmEQQc+xkqw8Ol585u5fP2CCWAiEA97Q5xcjgIQzp8/XGNVqrAiDa
    YOqcQydbiI21+uRyExU=
    -----END CERTIFICATE-----
    """
  /// One for the same key that expired in 2026.
  public static let expiredCertificate = """
    -----BEGIN CERTIFICATE-----
    MIIBJDCByqADAgECAhQXb/PU3c/oehL8JmM2Qbqaol5cazAKBggqhkjOPQQDAjAS
    MRAwDgYDVQQDDAdleHBpcmVkMB4XDTI2MDEwMTAwMDAwMFoXDTI2MDEwMjAwMDAw
    MFowEjEQMA4GA1UEAwwHZXhwaXJlZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
    BH/Nzidw9sRdQYPL7m/bS3tYBzM1e+nvE7rPbjx70VRFx/FEzRu9m36HLN/tue65
    9LNpXW6pCyStikYjKIWI5a0wCgYIKoZIzj0EAwIDSQAwRgIhALDXMdc2+OU3Z7Dv
    v1TMb15Dq1fuXnQT8pJH8mr8wTNeAiEAiS02xBoytntLpLuLUOb8Yi+HAH0FDtPv
    lIa6+rrDa9A=
    -----END CERTIFICATE-----
    """
  /// A self-signed certificate for ``p256``, for the name m2m-proxy, until 2125.
  public static let certificateUntil2125 = """
    -----BEGIN CERTIFICATE-----
    MIIBKjCB0KADAgECAhQyqtG30CvJQ4Ee9J51VFKH/9xhRDAKBggqhkjOPQQDAjAU
    MRIwEAYDVQQDDAltMm0tcHJveHkwIBcNMjYwMTAxMDAwMDAwWhgPMjEyNTEyMDgw
    MDAwMDBaMBQxEjAQBgNVBAMMCW0ybS1wcm94eTBZMBMGByqGSM49AgEGCCqGSM49
    AwEHA0IABH/Nzidw9sRdQYPL7m/bS3tYBzM1e+nvE7rPbjx70VRFx/FEzRu9m36H
    LN/tue659LNpXW6pCyStikYjKIWI5a0wCgYIKoZIzj0EAwIDSQAwRgIhAOiZR2+h
    1sTwr31hWXclja4wRp34cjPo0c35goENADWfAiEA/5vqBWbvDxoQYxrNpQpFEUPU
    PGYCWxw+LpA7h5F42Lg=
    -----END CERTIFICATE-----
    """
}
