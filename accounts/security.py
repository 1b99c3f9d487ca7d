"""How an account is protected, as its owner is shown."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from msgspec import Struct

from accounts.models import User


class Security(Struct, frozen=True):
    """`codes_left` is None where there are no recovery codes. `sessions`: browsers that are signed in."""

    email_is_verified: bool
    has_password: bool
    has_app: bool
    passkeys: int
    codes_left: int | None
    sessions: int


def security_of(user: User) -> Security:
    factors = list(Authenticator.objects.filter(user=user))
    codes = next((factor for factor in factors if factor.type == Authenticator.Type.RECOVERY_CODES), None)
    return Security(
        email_is_verified=EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists(),
        has_password=user.has_usable_password(),
        has_app=any(factor.type == Authenticator.Type.TOTP for factor in factors),
        passkeys=sum(factor.type == Authenticator.Type.WEBAUTHN for factor in factors),
        codes_left=len(codes.wrap().get_unused_codes()) if codes else None,
        sessions=len(UserSession.objects.purge_and_list(user)),
    )
