"""A lending library: models that make Django write every kind of SQL it knows."""

import uuid

from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, HStoreField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Lower


class Publisher(models.Model):
    name = models.CharField(max_length=200, unique=True)
    founded = models.IntegerField(null=True)
    site = models.URLField(blank=True)


class Author(models.Model):
    name = models.CharField(max_length=200, db_index=True)
    born = models.DateField(null=True)
    mentor = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="pupils")
    remarks = GenericRelation("Remark")


class Category(models.Model):
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)


class AvailableManager(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(withdrawn=False)


class Book(models.Model):
    class Binding(models.TextChoices):
        HARDCOVER = "H"
        PAPERBACK = "P"
        ELECTRONIC = "E"

    title = models.CharField(max_length=300)
    isbn = models.CharField(max_length=13, unique=True)
    binding = models.CharField(max_length=1, choices=Binding.choices, default=Binding.PAPERBACK)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    pages = models.PositiveIntegerField(default=0)
    published = models.DateField(null=True)
    withdrawn = models.BooleanField(default=False)
    publisher = models.ForeignKey(Publisher, on_delete=models.PROTECT, related_name="books")
    category = models.ForeignKey(Category, null=True, on_delete=models.SET_NULL)
    authors = models.ManyToManyField(Author, through="Authorship")
    similar = models.ManyToManyField("self")
    details = models.JSONField(default=dict)
    keywords = ArrayField(models.CharField(max_length=30), default=list)
    numbers = HStoreField(null=True)
    vector = SearchVectorField(null=True)
    remarks = GenericRelation("Remark")
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    objects = models.Manager()
    available = AvailableManager()

    class Meta:
        ordering = ["title"]
        indexes = [
            GinIndex(fields=["vector"], name="book_vector"),
            GinIndex(fields=["details"], name="book_details"),
            BrinIndex(fields=["created"], name="book_created"),
            models.Index(Lower("title"), name="book_lower_title"),
            models.Index(fields=["publisher", "-published"], name="book_recent"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="book_price_positive"),
        ]


class Authorship(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    share = models.FloatField(default=1)
    position = models.SmallIntegerField(default=0)

    class Meta:
        unique_together = [("book", "author")]


class AudioBook(Book):
    """Multi-table inheritance."""

    length = models.DurationField()
    reader = models.CharField(max_length=100)


class Member(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE)
    card = models.UUIDField(default=uuid.uuid4, unique=True)
    address = models.TextField(blank=True)


class Copy(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="copies")
    shelf = models.CharField(max_length=20)
    cover = models.BinaryField(null=True)
    address = models.GenericIPAddressField(null=True)


class Loan(models.Model):
    copy = models.ForeignKey(Copy, on_delete=models.CASCADE, related_name="loans")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="loans")
    during = DateTimeRangeField()
    returned_at = models.DateTimeField(null=True)
    fine = models.DecimalField(max_digits=6, decimal_places=2, default=0)

    class Meta:
        get_latest_by = "returned_at"
        constraints = [
            models.UniqueConstraint(
                fields=["copy"], condition=models.Q(returned_at__isnull=True), name="one_loan_at_a_time"
            ),
        ]


class Remark(models.Model):
    """Generic relations."""

    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    about = GenericForeignKey()
    text = models.TextField()
    stars = models.SmallIntegerField(default=3)
    written_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)


class RecentBook(Book):
    class Meta:
        proxy = True
        ordering = ["-published"]
