"""Users, who sign in by e-mail, and their API keys, of which only a digest is kept."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.validators import validate_names, validate_webhook_url


class UserManager(BaseUserManager["User"]):
    """Makes users, who have no name to sign in with but their e-mail address."""

    use_in_migrations = True

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The whole address in lower case: nobody means another mailbox by `Alice@Example.com`."""
        return (email or "").strip().lower()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A saved user. Without a password the account can only be entered through a password reset."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=self.normalize_email(username))


class User(AbstractUser):
    """A person or a program's owner. Signs in by e-mail."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    keeps_inputs = models.BooleanField(
        default=False, db_default=False, help_text="what requests say is kept with their receipts, for a while"
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta(AbstractUser.Meta):
        constraints = (models.CheckConstraint(name="email_is_lower_case", condition=Q(email=Lower("email"))),)

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **options: Any) -> None:
        self.email = User.objects.normalize_email(self.email)
        super().save(*args, **options)


class ApiKey(models.Model):
    """What a program authenticates with. The secret is shown once, when it is issued; here is only its SHA-256."""

    class Period(models.TextChoices):
        """Days, weeks from Monday and months of the calendar, in UTC."""

        DAY = "day"
        WEEK = "week"
        MONTH = "month"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=12, editable=False, help_text="the first characters, to recognise a key by")
    last_four = models.CharField(max_length=4, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the secret, in hex")
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="empty: the default of the site"
    )
    concurrent_requests = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="empty: the default of the site"
    )
    concurrent_videos = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="empty: the default of the site"
    )
    webhook_url = models.CharField(
        "webhook URL",
        max_length=2000,
        blank=True,
        validators=[validate_webhook_url],
        help_text="where the end of a video is told, if its request names no other address",
    )
    credit_limit = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="millicredits that it may spend in a period; empty: whatever the balance has",
    )
    credit_period = models.CharField(max_length=5, choices=Period, blank=True)
    allowed_models = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_names],
        help_text="ids and types of models that it may ask for; empty: all",
    )
    origin = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="where it was made by rolling: the first key of its line, with which it shares what is spent",
    )
    form_token = models.CharField(
        max_length=64, null=True, blank=True, editable=False, help_text="of the form that made it, which makes one key"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(name="requests_per_minute_is_positive", condition=~Q(requests_per_minute=0)),
            models.CheckConstraint(name="concurrent_requests_is_positive", condition=~Q(concurrent_requests=0)),
            models.CheckConstraint(name="concurrent_videos_is_positive", condition=~Q(concurrent_videos=0)),
            models.CheckConstraint(
                name="credit_limit_has_a_period",
                condition=Q(credit_limit__isnull=True, credit_period="")
                | Q(credit_limit__gt=0, credit_period__in=("day", "week", "month")),
                violation_error_message="A limit of credits goes with its period; without one, leave both empty.",
            ),
            models.UniqueConstraint(fields=("user", "form_token"), name="one_key_for_each_form"),
        )
        indexes = (
            models.Index(
                fields=("expires_at",),
                condition=Q(revoked_at__isnull=True, expires_at__isnull=False),
                name="keys_by_their_end",
            ),
        )

    def __str__(self) -> str:
        return f"{self.masked} {self.name}".strip()

    def clean(self) -> None:
        # A form's empty field is None.
        self.allowed_models = self.allowed_models or []

    @property
    def masked(self) -> str:
        """The key as it may be shown: `ark-abcd…wxyz`."""
        return f"{self.prefix}…{self.last_four}"

    @property
    def line_id(self) -> int:
        """The id of the first key of its line; its own where it was not made by rolling."""
        return self.origin_id or self.pk

    @property
    def is_open(self) -> bool:
        """Whether it opens the door now, as far as the key itself goes."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class WelcomedAddress(models.Model):
    """An address that was welcomed here once, in a form that does not tell it. Outlives the account."""

    digest = models.CharField(primary_key=True, max_length=64, help_text="HMAC-SHA-256 of the address, in hex")
    welcomed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest
