"""Runs the queries that are recorded: one after the other, what they return does not matter."""

import datetime
import os
import uuid
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.postgres.aggregates import ArrayAgg, BoolOr, JSONBAgg, StringAgg  # noqa: E402
from django.contrib.postgres.expressions import ArraySubquery  # noqa: E402
from django.contrib.postgres.search import (  # noqa: E402
    SearchHeadline,
    SearchQuery,
    SearchRank,
    SearchVector,
    TrigramSimilarity,
    TrigramWordSimilarity,
)
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import (  # noqa: E402
    Avg,
    Case,
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    FloatField,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    StdDev,
    Subquery,
    Sum,
    Value,
    Variance,
    When,
    Window,
)
from django.db.models import functions as f  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from library.models import (  # noqa: E402
    AudioBook,
    Author,
    Authorship,
    Book,
    Category,
    Copy,
    Loan,
    Member,
    Publisher,
    RecentBook,
    Remark,
)


def fill():
    houses = Publisher.objects.bulk_create(
        [Publisher(name=f"House {n}", founded=1900 + n, site="https://example.org/") for n in range(1, 9)]
    )
    authors = Author.objects.bulk_create(
        [Author(name=f"Author {n}", born=datetime.date(1950 + n, 2, 3)) for n in range(12)]
    )
    root = Category.objects.create(name="All", slug="all")
    shelves = [
        Category.objects.create(name=name, slug=name.lower(), parent=root) for name in ("Maps", "Tales", "Facts")
    ]
    books = []
    for n in range(30):
        books.append(
            Book(
                title=f"Title {n} of the {('sea', 'hills', 'city')[n % 3]}",
                isbn=f"{9780000000000 + n}",
                pages=50 + 13 * n,
                price=Decimal(n) + Decimal("0.95"),
                published=datetime.date(2000 + n % 20, 1 + n % 12, 5),
                publisher=houses[n % 8],
                category=shelves[n % 3],
                keywords=[f"k{n % 4}", f"k{n % 5}"],
                details={"language": ("en", "de", "fr")[n % 3], "edition": n % 4, "awards": [{"year": 2000 + n}]},
            )
        )
    books = Book.objects.bulk_create(books, batch_size=10)
    Authorship.objects.bulk_create(
        [Authorship(book=book, author=authors[(n * 5) % 12], position=0) for n, book in enumerate(books)]
    )
    Authorship.objects.bulk_create(
        [Authorship(book=book, author=authors[(n * 5) % 12], position=0, share=0.5) for n, book in enumerate(books)],
        update_conflicts=True,
        unique_fields=["book", "author", "position"],
        update_fields=["share"],
    )
    Authorship.objects.bulk_create([Authorship(book=books[0], author=authors[0], position=0)], ignore_conflicts=True)
    users = [User.objects.create_user(f"member{n}", f"member{n}@example.org", "secret") for n in range(5)]
    members = [Member.objects.create(user=user, address=f"Street {user.id}") for user in users]
    copies = Copy.objects.bulk_create(
        [Copy(book=book, shelf=f"S{n % 6}", cover=b"\x00\xff") for n, book in enumerate(books)]
    )
    begin = timezone.now() - datetime.timedelta(days=90)
    for n, copy in enumerate(copies[:20]):
        start = begin + datetime.timedelta(days=n)
        Loan.objects.create(
            copy=copy,
            member=members[n % 5],
            during=(start, start + datetime.timedelta(days=14)),
            returned_at=start + datetime.timedelta(days=10) if n % 3 else None,
        )
    for n in range(8):
        Remark.objects.create(
            about=(books[n] if n % 2 else authors[n]), text=f"Remark {n}", stars=n % 5 + 1, written_by=users[0]
        )
    AudioBook.objects.create(
        title="Heard",
        isbn="9781111111111",
        price=3,
        publisher=houses[0],
        length=datetime.timedelta(hours=7),
        reader="A voice",
    )
    Book.objects.update(vector=SearchVector("title", weight="A") + SearchVector("isbn", weight="B"))
    books[0].similar.add(books[1], books[2])


def simple_reads():
    list(Book.objects.all())
    list(Book.objects.all()[:5])
    list(Book.objects.all()[5:10])
    list(Book.objects.order_by("-price", "title")[:3])
    list(Book.objects.order_by("?")[:2])
    list(Book.objects.reverse()[:2])
    list(Book.available.only("title", "price"))
    list(Book.objects.defer("details", "vector"))
    list(Book.objects.values("id", "title"))
    list(Book.objects.values_list("isbn", flat=True).distinct())
    list(Book.objects.order_by("category", "-published").distinct("category"))
    list(RecentBook.objects.all()[:3])
    list(AudioBook.objects.filter(length__gt=datetime.timedelta(hours=1)))
    list(AudioBook.objects.select_related("publisher", "category__parent"))
    Book.objects.get(isbn="9780000000003")
    Book.objects.filter(pk__in=[1, 2, 3]).exists()
    Book.objects.filter(pages__gt=100).count()
    Book.objects.first()
    Book.objects.last()
    Book.objects.earliest("published")
    Loan.objects.latest()
    Book.objects.in_bulk([1, 2, 5])
    Book.objects.filter(title="none").contains(Book.objects.first())
    Book.objects.none().exists()
    Publisher.objects.filter(name="House 1").first()
    list(Publisher.objects.filter(pk=1).using("default"))
    list(Book.objects.dates("published", "year"))
    list(Book.objects.datetimes("created", "month"))
    list(Book.objects.raw("SELECT id, title FROM library_book WHERE pages > %s", [300]))
    str(Book.objects.filter(pages__gt=1).explain())
    str(Book.objects.filter(pages__gt=1).explain(analyze=True, buffers=True, format="json"))


def lookups():
    b = Book.objects
    for name, value in [
        ("title__exact", "x"),
        ("title__iexact", "X"),
        ("title__contains", "sea"),
        ("title__icontains", "SEA"),
        ("title__startswith", "T"),
        ("title__istartswith", "t"),
        ("title__endswith", "sea"),
        ("title__iendswith", "SEA"),
        ("title__regex", r"^T.*\d"),
        ("title__iregex", r"^t"),
        ("title__in", ["a", "b"]),
        ("title__isnull", False),
        ("pages__gte", 10),
        ("pages__range", (10, 90)),
        ("published__year", 2003),
        ("published__year__gt", 2003),
        ("published__month", 4),
        ("published__day", 5),
        ("published__week_day", 2),
        ("published__quarter", 1),
        ("published__iso_year", 2004),
        ("published__week", 7),
        ("created__date", datetime.date(2024, 1, 1)),
        ("created__time__gt", datetime.time(12, 30)),
        ("created__hour", 3),
        ("created__minute__lt", 30),
        ("details__language", "en"),
        ("details__edition__gt", 1),
        ("details__awards__0__year", 2001),
        ("details__has_key", "language"),
        ("details__has_keys", ["a", "b"]),
        ("details__has_any_keys", ["a", "edition"]),
        ("details__contains", {"language": "de"}),
        ("details__contained_by", {"a": 1}),
        ("details__language__in", ["en", "fr"]),
        ("details__language__icontains", "E"),
        ("details__missing__isnull", True),
        ("details", {}),
        ("details__edition", None),
        ("keywords__contains", ["k1"]),
        ("keywords__contained_by", ["k1", "k2"]),
        ("keywords__overlap", ["k3"]),
        ("keywords__len", 2),
        ("keywords__0", "k1"),
        ("keywords__0_2", ["k1"]),
        ("numbers__has_key", "a"),
        ("numbers__a", "b"),
        ("numbers__contains", {"a": "b"}),
        ("title__search", "hills"),
        ("title__trigram_similar", "hils"),
        ("title__trigram_word_similar", "hils"),
        ("title__unaccent__icontains", "é"),
        ("publisher__name", "House 1"),
        ("publisher__founded__isnull", True),
        ("authors__name__startswith", "A"),
        ("authors__mentor__name", "x"),
        ("copies__loans__member__user__username", "member1"),
        ("category__parent__slug", "all"),
    ]:
        list(b.filter(**{name: value})[:4])
    list(b.exclude(authors__name="Author 1"))
    list(b.filter(~Q(title="x") & (Q(pages=1) | Q(pages=2)) ^ Q(withdrawn=True)))
    list(b.filter(Q(copies__isnull=True) | Q(similar__title="x")).distinct())
    list(b.filter(price__gt=F("pages") / 10 + 1))
    list(b.filter(publisher__in=Publisher.objects.filter(founded__gt=1903)))
    list(b.filter(pk__in=Subquery(Authorship.objects.filter(share__lt=1).values("book"))))
    list(b.filter(Exists(Copy.objects.filter(book=OuterRef("pk"), shelf="S1"))))
    list(b.filter(~Exists(Loan.objects.filter(copy__book=OuterRef("pk")))))
    list(Loan.objects.filter(during__contains=timezone.now()))
    list(Loan.objects.filter(during__overlap=(timezone.now(), None)))
    list(Loan.objects.filter(during__startswith__lt=timezone.now(), during__isempty=False))
    list(Loan.objects.filter(during__fully_lt=(timezone.now(), None)))
    list(Copy.objects.filter(pk=uuid.UUID(int=7)))
    list(Copy.objects.filter(address__isnull=True, cover__isnull=False))
    list(Remark.objects.filter(content_type__model="book"))
    list(Author.objects.filter(remarks__stars__gt=2))


def related():
    list(Book.objects.select_related("publisher", "category"))
    list(Book.objects.prefetch_related("authors", "copies__loans"))
    list(
        Book.objects.prefetch_related(
            Prefetch("copies", queryset=Copy.objects.order_by("shelf"), to_attr="sorted_copies")
        )
    )
    list(Author.objects.prefetch_related("book_set", "remarks"))
    list(Remark.objects.prefetch_related("about"))
    book = Book.objects.first()
    list(book.authors.all())
    list(book.similar.filter(pages__gt=10))
    book.copies.count()
    book.authors.exists()
    list(book.remarks.order_by("-stars"))
    list(book.publisher.books.exclude(pk=book.pk)[:3])
    list(Author.objects.first().pupils.all())
    list(Book.objects.alias(n=Count("authors")).filter(n__gt=1))
    list(
        Publisher.objects.annotate(cheap=FilteredRelation("books", condition=Q(books__price__lt=9))).filter(
            cheap__pages__gt=60
        )
    )
    user = User.objects.get(username="member1")
    user.member
    user.has_perm("library.view_book")
    user.get_group_permissions()
    list(Permission.objects.filter(content_type__app_label="library").order_by("codename"))
    list(User.objects.with_perm("library.add_book", backend="django.contrib.auth.backends.ModelBackend"))
    ContentType.objects.clear_cache()
    ContentType.objects.get_for_models(Book, Author)


def aggregates():
    b = Book.objects
    b.aggregate(Count("id"), Sum("price"), Avg("pages"), Min("published"), Max("published"))
    b.aggregate(StdDev("price"), Variance("pages", sample=True), n=Count("publisher", distinct=True))
    b.aggregate(cheap=Count("pk", filter=Q(price__lt=5)), dear=Sum("price", filter=Q(price__gte=5), default=0))
    b.aggregate(all=StringAgg("title", delimiter=", ", ordering="title"), ids=ArrayAgg("id", distinct=True))
    b.aggregate(any=BoolOr("withdrawn"), data=JSONBAgg("details"))
    list(Publisher.objects.annotate(n=Count("books")).order_by("-n"))
    list(Publisher.objects.annotate(n=Count("books")).filter(n__gt=3).values("name", "n"))
    list(b.values("category__name").annotate(total=Sum("price"), longest=Max("pages")).order_by("category__name"))
    list(b.values("publisher").annotate(n=Count("id")).filter(n__gt=1).aggregate(Max("n")).items())
    list(b.annotate(year=f.ExtractYear("published")).values("year").annotate(n=Count("pk")).order_by("year"))
    list(b.annotate(month=f.TruncMonth("created")).values("month").annotate(n=Count("pk")))
    list(Loan.objects.values("member").annotate(last=Max("returned_at"), total=Sum("fine")))
    latest = Loan.objects.filter(copy__book=OuterRef("pk")).order_by("-returned_at")
    list(b.annotate(last_loan=Subquery(latest.values("returned_at")[:1])))
    list(b.annotate(shelves=ArraySubquery(Copy.objects.filter(book=OuterRef("pk")).values("shelf"))))
    list(b.annotate(lent=Exists(latest)).values("title", "lent"))
    ranks = dict(partition_by=[F("category")], order_by=F("price").desc())
    list(
        b.annotate(
            rank=Window(f.Rank(), **ranks), dense=Window(f.DenseRank(), **ranks), row=Window(f.RowNumber(), **ranks)
        )
    )
    list(b.annotate(rank=Window(f.RowNumber(), **ranks)).filter(rank=1))
    list(
        b.annotate(
            before=Window(f.Lag("price"), order_by="published"),
            after=Window(f.Lead("price", offset=2), order_by="published"),
        )
    )
    list(b.annotate(first=Window(f.FirstValue("title"), **ranks), nth=Window(f.NthValue("title", nth=2), **ranks)))
    list(
        b.annotate(
            tile=Window(f.Ntile(4), order_by="pages"),
            share=Window(f.CumeDist(), order_by="pages"),
            p=Window(f.PercentRank(), order_by="pages"),
        )
    )
    list(b.annotate(running=Window(Sum("price"), order_by="id", frame=models.RowRange(start=-2, end=0))))
    list(b.annotate(near=Window(Avg("pages"), order_by="pages", frame=models.ValueRange(start=None, end=0))))


def functions():
    b = Book.objects
    list(
        b.annotate(
            a=f.Lower("title"),
            b=f.Upper("title"),
            c=f.Length("title"),
            d=f.Substr("title", 2, 3),
            e=f.Concat("title", Value(" "), "isbn"),
            g=f.Left("title", 3),
            h=f.Right("title", 3),
            i=f.Replace("title", Value("e"), Value("3")),
            j=f.Reverse("title"),
            k=f.Trim("title"),
            l=f.LPad("isbn", 15, Value("0")),
            m=f.StrIndex("title", Value("of")),
            n=f.Repeat("binding", 3),
            o=f.MD5("title"),
            p=f.SHA256("isbn"),
            q=f.Chr(Value(65)),
            r=f.Ord("title"),
        ).values()[:2]
    )
    list(
        b.annotate(
            a=f.Abs("pages"),
            b=f.Ceil("price"),
            c=f.Floor("price"),
            d=f.Round("price", precision=1),
            e=f.Mod("pages", 7),
            g=f.Power("pages", 2),
            h=f.Sqrt("pages"),
            i=f.Ln(F("pages") + 1),
            j=f.Log(10, F("pages") + 1),
            k=f.Sign("price"),
            l=f.Pi(),
            m=f.Random(),
            n=f.Exp(Value(1)),
        ).values()[:2]
    )
    list(
        b.annotate(
            a=f.Coalesce("category__name", Value("none")),
            b=f.Greatest("pages", Value(5)),
            c=f.Least("pages", Value(500)),
            d=f.NullIf("binding", Value("P")),
            e=f.Cast("price", IntegerField()),
            g=f.Cast("pages", FloatField()),
            h=f.Now(),
            i=f.TruncYear("published"),
            j=f.TruncDate("created"),
            k=f.ExtractIsoWeekDay("published"),
            l=f.TruncHour("created"),
            m=f.JSONObject(title="title", price="price"),
            n=f.Collate("title", "C"),
        ).values()[:2]
    )
    list(
        b.annotate(
            size=Case(
                When(pages__lt=100, then=Value("thin")),
                When(pages__lt=300, then=Value("medium")),
                default=Value("thick"),
            )
        ).values("size")
    )
    list(b.order_by(F("published").desc(nulls_last=True), f.Lower("title").asc()))
    query = SearchQuery("hills") | SearchQuery("sea")
    list(b.annotate(rank=SearchRank("vector", query)).filter(vector=query).order_by("-rank"))
    list(
        b.annotate(s=SearchVector("title", "isbn", config="english")).filter(
            s=SearchQuery("hill & title", search_type="raw")
        )
    )
    list(b.annotate(h=SearchHeadline("title", SearchQuery("city"), start_sel="<b>", stop_sel="</b>")).values("h"))
    list(b.filter(vector=SearchQuery("'the city'", search_type="websearch")))
    list(
        b.annotate(s=TrigramSimilarity("title", "citty"), w=TrigramWordSimilarity("citty", "title"))
        .filter(s__gt=0.1)
        .order_by("-s")
    )
    list(b.extra(select={"half": "pages / 2"}, where=["pages > %s"], params=[20], order_by=["half"]))
    list(Author.objects.values("name").union(Publisher.objects.values("name")).order_by("name"))
    list(Author.objects.values_list("name").union(Publisher.objects.values_list("name"), all=True))
    list(b.filter(pages__gt=100).intersection(b.filter(pages__lt=200)))
    list(b.filter(pages__gt=100).difference(b.filter(withdrawn=True)))


def writes():
    book = Book.objects.get(isbn="9780000000004")
    book.price = Decimal("5.50")
    book.save()
    book.save(update_fields=["price"])
    book.refresh_from_db()
    book.refresh_from_db(fields=["title"])
    Book.objects.filter(pk=book.pk).update(pages=F("pages") + 1, details={"language": "it"})
    Book.objects.filter(publisher__name="House 2").update(withdrawn=True)
    Book.objects.update(binding=Case(When(pages__gt=200, then=Value("H")), default=F("binding")))
    Book.objects.bulk_update([book], ["price", "pages"])
    Publisher.objects.get_or_create(name="House 20", defaults={"founded": 1999})
    Publisher.objects.get_or_create(name="House 20")
    Publisher.objects.update_or_create(name="House 20", defaults={"founded": 2001})
    Publisher.objects.update_or_create(name="House 21", defaults={"founded": 2002}, create_defaults={"founded": 2003})
    with transaction.atomic():
        Copy.objects.select_for_update().filter(shelf="S1").first()
        list(Copy.objects.select_for_update(nowait=True).filter(shelf="S2"))
        list(Copy.objects.select_for_update(skip_locked=True).order_by("shelf")[:1])
        list(Loan.objects.select_related("copy").select_for_update(of=("self",)))
        list(Publisher.objects.select_for_update(no_key=True).filter(pk=1))
    try:
        with transaction.atomic():
            with transaction.atomic():
                Publisher.objects.create(name="House 1")
    except IntegrityError:
        pass
    with transaction.atomic():
        point = transaction.savepoint()
        Publisher.objects.create(name="Short lived")
        transaction.savepoint_rollback(point)
        transaction.set_rollback(True)
    with transaction.atomic(durable=True):
        connection.check_constraints()
    book.authors.add(Author.objects.last(), through_defaults={"position": 3})
    book.authors.remove(Author.objects.last())
    book.authors.set(Author.objects.all()[:2])
    book.authors.clear()
    book.similar.clear()
    Remark.objects.filter(stars__lt=2).delete()
    Loan.objects.filter(returned_at__isnull=True, member__user__username="member4").delete()
    Author.objects.filter(name="Author 11").delete()
    Category.objects.get(slug="facts").delete()
    Remark.objects.filter(stars=0)._raw_delete("default")
    AudioBook.objects.get(isbn="9781111111111").delete()
    User.objects.get(username="member3").groups.add(Group.objects.create(name="readers"))
    Group.objects.get(name="readers").permissions.set(Permission.objects.filter(codename__startswith="view_"))


def streams():
    for row in Book.objects.filter(pages__gt=10).iterator(chunk_size=7):
        str(row)
    with transaction.atomic():
        for row in Book.objects.values_list("title").iterator(chunk_size=10):
            str(row)


def site():
    User.objects.create_superuser("root", "root@example.org", "secret")
    client = Client()
    client.get("/admin/login/")
    client.post("/admin/login/?next=/admin/", {"username": "root", "password": "secret"})
    client.get("/admin/")
    for path in [
        "library/book/",
        "library/book/?q=sea",
        "library/book/?binding__exact=P&o=-3",
        "library/book/?published__year=2004",
        "library/book/add/",
        "library/book/2/change/",
        "library/book/2/history/",
        "library/book/2/delete/",
        "auth/user/",
        "auth/user/1/change/",
        "library/loan/",
        "auth/group/add/",
        "library/author/3/change/",
    ]:
        client.get("/admin/" + path)
    client.post("/admin/library/publisher/add/", {"name": "From admin", "founded": "1950", "site": ""})
    client.post("/admin/library/category/2/delete/", {"post": "yes"})
    client.post("/admin/library/author/", {"action": "delete_selected", "_selected_action": ["5"], "post": "yes"})
    client.get("/admin/logout/")
    client.post("/admin/logout/")
    session = SessionStore()
    session["basket"] = [1, 2]
    session.save()
    session["basket"] = []
    session.save()
    SessionStore(session.session_key).load()
    session.exists("x")
    session.delete()
    call_command("clearsessions")
    cache.set("a", 1)
    cache.get("a")
    cache.set_many({"b": 2, "c": 3})
    cache.get_many(["b", "c"])
    cache.touch("a")
    cache.incr("a")
    cache.delete("b")
    cache.clear()


def introspection():
    with open(os.devnull, "w", encoding="utf8") as nothing:
        call_command("inspectdb", "library_book", "library_loan", include_views=True, stdout=nothing)
        call_command("showmigrations", stdout=nothing)
        call_command("sqlsequencereset", "library", stdout=nothing)
        call_command("dumpdata", "library.Book", stdout=nothing)
        call_command("check", database=["default"], stdout=nothing)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), max(pages) FROM library_book WHERE title LIKE %s", ["Title%"])
        cursor.callproc("lower", ["ABC"])
        cursor.execute("SELECT * FROM library_titles ORDER BY id LIMIT 3")
        connection.introspection.get_constraints(cursor, "library_book")
        connection.introspection.get_sequences(cursor, "library_book")
        connection.introspection.get_primary_key_column(cursor, "library_copy")


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    for part in (fill, simple_reads, lookups, related, aggregates, functions, writes, streams, site, introspection):
        part()
