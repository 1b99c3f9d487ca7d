from django.conf import settings
from django.db import models


class Account(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)

    def __str__(self):
        return f"{self.user}: {self.balance}"


class Hold(models.Model):
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, default="open")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.amount} {self.state}"


class Receipt(models.Model):
    hold = models.OneToOneField(Hold, on_delete=models.CASCADE)
    model = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    prompt_tokens = models.IntegerField()
    completion_tokens = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"{self.model}: {self.amount}"
