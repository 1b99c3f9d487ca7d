"""A notice as a mail: plain text and simple HTML, with a way to turn off its kind."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.models import User
from gateway.models import NoticeKind
from gateway.notices.preferences import off_link
from gateway.notices.words import ABOUT, Words


def write_mail(user: User, kind: str, words: Words) -> EmailMultiAlternatives:
    """The mail to the user's address. Its headers let the mail program turn off that kind with one click (RFC 8058)."""
    off = off_link(user.pk, kind)
    context = {
        "words": words,
        "name": user.first_name,
        "mail": ABOUT[NoticeKind(kind)].mail,
        "off": off,
        "settings_url": f"{settings.PUBLIC_URL}/settings/#notifications",
        "site_url": settings.PUBLIC_URL,
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(f"ArkRoute: {words.subject}".split()),
        body=render_to_string("emails/notice.txt", context),
        to=[user.email],
        headers={"List-Unsubscribe": f"<{off}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )
    mail.attach_alternative(render_to_string("emails/notice.html", context), "text/html")
    return mail
