"""A Django application that welcomes each new customer by a Celery task, in one file.

Both of its processes import it: "celery -A shop worker" and the one that saves. It needs no more than what Debian's
python3-celery, python3-redis and python3-django bring.
"""

import json
import os
import sys

import django
from celery import Celery
from celery.signals import worker_ready
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, models, transaction
from django.db.backends.signals import connection_created
from django.db.models.signals import post_save
from django.dispatch import receiver

REDIS_SOCKET = os.environ["BENCH_REDIS_SOCKET"]
HOST, _, PORT = os.environ["BENCH_SMTP_ADDR"].rpartition(":")

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    EMAIL_HOST=HOST,
    EMAIL_PORT=int(PORT),
    DEFAULT_FROM_EMAIL=os.environ["BENCH_FROM"],
    USE_TZ=True,
)
django.setup()

app = Celery("shop")
app.conf.update(
    # The settings of the application that this project succeeds.
    broker_url="redis+socket://" + REDIS_SOCKET,
    result_backend="redis+socket://" + REDIS_SOCKET,
    accept_content=["application/json"],
    result_serializer="json",
    task_serializer="json",
    timezone="UTC",
    task_track_started=True,
    task_time_limit=30 * 60,
    result_expires=3600,
    # What Celery's documentation advises for many short tasks.
    # https://docs.celeryq.dev/en/stable/userguide/optimizing.html#prefetch-limits
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)


class Customer(models.Model):
    name = models.TextField()
    email = models.TextField()
    phone = models.TextField()

    class Meta:
        app_label = "shop"
        db_table = "customers"


@receiver(connection_created)
def as_fast_as_the_others(sender, connection, **kwargs):
    """The other systems' SQLite writes ahead and survives a crash of the process; Django's default is slower."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")


@app.task(bind=True, max_retries=3, default_retry_delay=60)
def send_email_task(self, name, email):
    """Sends one email, on a connection of its own: that is what Django does with a message that is sent alone."""
    text = f"Hello {name},\n\nthank you for joining us. We shall write to {email} when there is news.\n"
    try:
        EmailMessage(subject=f"Welcome, {name}", body=text, to=[email]).send()
    except OSError as error:
        raise self.retry(exc=error)


@receiver(post_save, sender=Customer)
def welcome(sender, instance, created, **kwargs):
    if created:
        transaction.on_commit(lambda: send_email_task.delay(instance.name, instance.email))


@worker_ready.connect
def say_ready(**kwargs):
    os.write(1, b"ready\n")  # Celery has taken sys.stdout for its log


def save():
    """Saves a customer for each line of JSON from standard input, and answers each with a line."""
    with connection.schema_editor() as editor:
        editor.create_model(Customer)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            Customer.objects.create(**json.loads(line))
            print("saved", flush=True)
        except Exception as error:  # the other side says what it was, and ends
            print(repr(error), flush=True)
