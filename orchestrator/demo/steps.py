"""What the example services do: a payload and the books → an effect, or a refusal in the words of that service."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from orchestrator.demo.books import Booking, Books
from orchestrator.jsontype import Json

PRICES = {"basic": 9.0, "pro": 29.0, "team": 99.0}
DECLINED = "0002"  # the last digits of a card that is always declined, as payment providers' test cards have them
_USERS = uuid.UUID("0f5cf4a6-3d0e-4a52-8e6a-5a8d4b9a2c11")


class Refused(Exception):
    """The service says no, and means it: the same call would be refused again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Order:
    """A request to a service: the JSON object that was sent, the workflow that it names, and the service's books."""

    payload: dict[str, Json]
    workflow_id: str | None
    books: Books

    def text(self, name: str) -> str:
        """A field that must be a text and not empty."""
        value = self.payload.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Refused(422, f"{name}: a text is wanted, not {_shown(value)}")
        return value

    def optional_text(self, name: str) -> str | None:
        """A field that may be absent or null."""
        return None if self.payload.get(name) is None else self.text(name)

    def email(self) -> str:
        """The field `email`."""
        value = self.text("email")
        if "@" not in value.strip("@"):
            raise Refused(422, f"email: {value!r} is no e-mail address")
        return value

    def to_undo(self, step: str, field: str) -> list[dict[str, Json]]:
        """The bookings of `step` to be undone now: the one that `field` names, else every one of the workflow.

        A caller that never got the answer has no reference to name. It gets an empty list where nothing was booked,
        and where all of it has been undone before.
        """
        reference = self.optional_text(field)
        if reference is not None:
            found = self.books.booked(step, **{field: reference})
            if not found:
                raise Refused(404, f"{field}: there is no {reference}")
        else:
            found = self.books.booked(step, workflowId=self.workflow_id) if self.workflow_id else []
        before = {undone for entry in self.books.entries() for undone in entry.get("undoes", ())}
        return [booking for booking in found if booking[field] not in before]


def validate_user(order: Order) -> Booking:
    """The same e-mail address is always the same user."""
    user = f"USR-{uuid.uuid5(_USERS, order.email().lower()).hex[:8].upper()}"
    return Booking({"userId": user, "valid": True}, {"userId": user})


def charge_payment(order: Order) -> Booking:
    """Take `amount`, or the price of `plan`, from the card."""
    amount = _amount(order)
    card = order.optional_text("card")
    if card is not None and card.endswith(DECLINED):
        raise Refused(402, f"the card ending in {card[-4:]} was declined")
    transaction = _reference("TXN")
    answer = {
        "orderId": _reference("ORD"),
        "transactionId": transaction,
        "receiptUrl": f"https://receipts.example.com/{transaction}",
        "amount": amount,
    }
    # Never the card: books are read by people.
    return Booking(answer, {"orderId": answer["orderId"], "transactionId": transaction, "amount": amount})


def refund_payment(order: Order) -> Booking:
    """Give back what a charge took; nothing where nothing was taken or all was given back before."""
    charges = order.to_undo("charge-payment", "transactionId")
    amount = sum(charge["amount"] for charge in charges)
    refund = _reference("RFD")
    transactions = [charge["transactionId"] for charge in charges]
    return Booking(
        {"refundId": refund, "amount": amount, "transactionIds": transactions},
        {"refundId": refund, "amount": -amount, "undoes": transactions},
    )


def create_shipment(order: Order) -> Booking:
    """Send an order off."""
    order_id = order.text("orderId")
    address = order.payload.get("address")
    if address is not None and not isinstance(address, str | dict):
        raise Refused(422, f"address: a text or an object is wanted, not {_shown(address)}")
    tracking = _reference("TRACK")
    arrives = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    return Booking(
        {"trackingId": tracking, "estimatedDelivery": arrives}, {"trackingId": tracking, "orderId": order_id}
    )


def cancel_shipment(order: Order) -> Booking:
    """Call a shipment back."""
    shipments = [shipment["trackingId"] for shipment in order.to_undo("create-shipment", "trackingId")]
    cancellation = _reference("CAN")
    return Booking({"cancellationId": cancellation, "trackingIds": shipments}, {"undoes": shipments})


def send_mail(order: Order) -> Booking:
    """Send a message."""
    message = _reference("MSG")
    return Booking({"messageId": message}, {"messageId": message, "to": order.email()})


def provision_account(order: Order) -> Booking:
    """Open an account for a user."""
    user = order.text("userId")
    account = _reference("ACC")
    return Booking({"accountId": account, "userId": user}, {"accountId": account, "userId": user})


def deprovision_account(order: Order) -> Booking:
    """Close an account again."""
    accounts = [account["accountId"] for account in order.to_undo("provision-account", "accountId")]
    return Booking({"accountIds": accounts, "closed": True}, {"undoes": accounts})


def due_invoices(order: Order) -> Booking:
    """The invoices that are due in a month: always the same three."""
    month = order.text("month")
    invoices = [{"customer": f"cus-{number}", "amount": 10.0 * number} for number in (1, 2, 3)]
    return Booking({"month": month, "invoices": invoices}, {"month": month})


def make_report(order: Order) -> Booking:
    """Begin to make a report; `orchestrator.demo.later` says when it is there."""
    report = _reference("REP")
    return Booking({"reportId": report}, {"reportId": report, "month": order.text("month")})


def deliver_report(order: Order) -> Booking:
    """Take a report over; what came of it is said later, to who called."""
    receipt = _reference("RCP")
    return Booking({"receipt": receipt}, {"receipt": receipt, "month": order.text("month")})


def recall_report(order: Order) -> Booking:
    """Take a delivery back."""
    receipts = [delivery["receipt"] for delivery in order.to_undo("deliver-report", "receipt")]
    return Booking({"receipts": receipts}, {"undoes": receipts})


def pay_supplier(order: Order) -> Booking:
    """Transfer `amount` to a supplier."""
    payment = _reference("PAY")
    noted = {"paymentId": payment, "to": order.text("supplier"), "paid": _amount(order)}
    return Booking({"paymentId": payment}, noted)


def reclaim_payment(order: Order) -> Booking:
    """Ask for a transfer back."""
    payments = [payment["paymentId"] for payment in order.to_undo("pay-supplier", "paymentId")]
    return Booking({"paymentIds": payments}, {"undoes": payments})


def note_payment(order: Order) -> Booking:
    """Write a payment into the journal."""
    entry = _reference("ENT")
    return Booking({"entryId": entry}, {"entryId": entry, "paymentId": order.text("paymentId")})


@dataclass(frozen=True)
class Endpoint:
    """A service's endpoint: whose it is, what it does, and the seconds that it usually takes.

    Where it is `later`, the answer is a 202, and `orchestrator.demo.later` says what comes after that. `guard` says
    what a caller must show.
    """

    service: str
    perform: Callable[[Order], Booking]
    takes: float
    later: Literal["asked", "called back"] | None = None
    guard: Literal["token", "key"] | None = None


ENDPOINTS = {
    "validate-user": Endpoint("accounts", validate_user, 0.15),
    "provision-account": Endpoint("accounts", provision_account, 0.5),
    "deprovision-account": Endpoint("accounts", deprovision_account, 0.25),
    "charge-payment": Endpoint("payment", charge_payment, 0.7),
    "refund-payment": Endpoint("payment", refund_payment, 0.35),
    "create-shipment": Endpoint("shipping", create_shipment, 0.45),
    "cancel-shipment": Endpoint("shipping", cancel_shipment, 0.2),
    "send-confirmation": Endpoint("email", send_mail, 0.2),
    "send-welcome": Endpoint("email", send_mail, 0.2),
    "due-invoices": Endpoint("accounts", due_invoices, 0.1),
    "make-report": Endpoint("reports", make_report, 0.1, later="asked"),
    "deliver-report": Endpoint("reports", deliver_report, 0.1, later="called back"),
    "recall-report": Endpoint("reports", recall_report, 0.1),
    "pay-supplier": Endpoint("bank", pay_supplier, 0.3, guard="token"),
    "reclaim-payment": Endpoint("bank", reclaim_payment, 0.2, guard="token"),
    "note-payment": Endpoint("journal", note_payment, 0.1, guard="key"),
}


def _amount(order: Order) -> float:
    amount = order.payload.get("amount")
    if amount is None and (plan := order.optional_text("plan")) is not None:
        return PRICES.get(plan, 19.0)
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount < 1_000_000:
        raise Refused(422, f"amount: a number above 0 and below 1,000,000 is wanted, not {_shown(amount)}")
    return float(amount)


def _reference(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(4).upper()}"


def _shown(value: Json) -> str:
    return {type(None): "null", dict: "an object", list: "a list", str: "an empty text"}.get(type(value), repr(value))
