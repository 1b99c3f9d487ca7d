"""What can go wrong with a payment.

PaymentError
├── PaymentsOff              no Stripe key is configured here
├── PaymentsUnavailable      Stripe did not answer, or not in time; nothing is known to have happened: try again
├── PaymentRefused           the bank or Stripe refuses it; the message is for the payer
│   └── AuthenticationNeeded the bank wants to see its customer
├── NotFound                 Stripe knows no such object, or not in this mode
└── BadDelivery              a webhook that is not Stripe's, or too old
"""


class PaymentError(Exception):
    """Base of all. The message is for the person who pays, except where it says otherwise."""


class PaymentsOff(PaymentError):
    def __init__(self) -> None:
        super().__init__("Credits are not sold here yet. Ask the operator of this site for more.")


class PaymentsUnavailable(PaymentError):
    def __init__(self) -> None:
        super().__init__("The payment service does not answer at the moment. Nothing was charged; try again shortly.")


class PaymentRefused(PaymentError):
    """`payment_id` is the PaymentIntent, where there is one."""

    def __init__(self, message: str, *, payment_id: str = "") -> None:
        super().__init__(message)
        self.payment_id = payment_id


class AuthenticationNeeded(PaymentRefused):
    pass


class NotFound(PaymentError):
    pass


class BadDelivery(PaymentError):
    """The message is for the operator."""
