"""Runs SQLAlchemy statements, Core and ORM, to be recorded; what they return does not matter."""

import datetime
import decimal
import enum
import os
import uuid

import psycopg2
import sqlalchemy as sa
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Computed,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Sequence,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    case,
    cast,
    column,
    delete,
    exists,
    extract,
    false,
    func,
    insert,
    inspect,
    lateral,
    literal,
    not_,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
    values,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    column_property,
    contains_eager,
    defer,
    joinedload,
    lazyload,
    load_only,
    mapped_column,
    raiseload,
    relationship,
    selectinload,
    subqueryload,
    undefer,
    with_expression,
    with_loader_criteria,
)

SCHEMA = "alchemy"


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={"ix": "ix_%(column_0_label)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}
    )


class Level(enum.Enum):
    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


membership = Table(
    "membership",
    Base.metadata,
    sa.Column("project_id", ForeignKey("project.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("worker_id", ForeignKey("worker.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("role", String(20), server_default="member"),
)


class Worker(Base):
    """Joined-table inheritance."""

    __tablename__ = "worker"
    id: Mapped[int] = mapped_column(Identity(start=10), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(80), index=True)
    email: Mapped[str | None] = mapped_column(String(120), unique=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    wage: Mapped[decimal.Decimal | None] = mapped_column(Numeric(10, 2))
    level: Mapped[Level] = mapped_column(Enum(Level, name="level"), default=Level.LOW)
    active: Mapped[bool] = mapped_column(Boolean, server_default=true())
    hired: Mapped[datetime.date | None]
    boss: Mapped["Worker | None"] = relationship(remote_side="Worker.id", back_populates="team")
    team: Mapped[list["Worker"]] = relationship(back_populates="boss")
    projects: Mapped[list["Project"]] = relationship(secondary=membership, back_populates="workers")
    tasks: Mapped[list["Task"]] = relationship(back_populates="worker", cascade="all, delete-orphan")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "worker"}

    @hybrid_property
    def yearly(self):
        return self.wage * 12


class Engineer(Worker):
    __tablename__ = "engineer"
    id: Mapped[int] = mapped_column(ForeignKey("worker.id"), primary_key=True)
    field: Mapped[str | None] = mapped_column(String(40))
    __mapper_args__ = {"polymorphic_identity": "engineer"}


class Manager(Worker):
    __tablename__ = "manager"
    id: Mapped[int] = mapped_column(ForeignKey("worker.id"), primary_key=True)
    budget: Mapped[decimal.Decimal | None] = mapped_column(Numeric(12, 2))
    __mapper_args__ = {"polymorphic_identity": "manager"}


class Project(Base):
    __tablename__ = "project"
    id: Mapped[int] = mapped_column(Integer, Sequence("project_number", start=1000), primary_key=True)
    title: Mapped[str] = mapped_column(String(100))
    facts: Mapped[dict] = mapped_column(pg.JSONB, default=dict)
    plain: Mapped[dict | None] = mapped_column(pg.JSON)
    words: Mapped[list[str]] = mapped_column(pg.ARRAY(String), default=list)
    during: Mapped[object | None] = mapped_column(pg.DATERANGE)
    search: Mapped[str | None] = mapped_column(pg.TSVECTOR)
    address: Mapped[str | None] = mapped_column(pg.INET)
    version: Mapped[int] = mapped_column(Integer)
    made: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    title_length: Mapped[int] = mapped_column(Integer, Computed("length(title)"))
    workers: Mapped[list[Worker]] = relationship(secondary=membership, back_populates="projects")
    tasks: Mapped[list["Task"]] = relationship(back_populates="project", order_by="Task.id", lazy="selectin")
    task_titles = association_proxy("tasks", "title")
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("project_facts", "facts", postgresql_using="gin"),
        Index("project_lower", func.lower(title), postgresql_where=column("title").isnot(None)),
        CheckConstraint("version >= 0", name="project_version"),
    )


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=func.gen_random_uuid())
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    worker_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    hours: Mapped[int] = mapped_column(default=1)
    due: Mapped[datetime.date | None] = mapped_column(Date)
    done: Mapped[bool] = mapped_column(default=False)
    project: Mapped[Project] = relationship(back_populates="tasks")
    worker: Mapped[Worker | None] = relationship(back_populates="tasks")
    __table_args__ = (UniqueConstraint("project_id", "title", name="task_title"),)


Worker.task_count = column_property(
    select(func.count(Task.id)).where(Task.worker_id == Worker.id).correlate_except(Task).scalar_subquery(),
    deferred=True,
)

counter = Table(
    "hit_counter",
    Base.metadata,
    sa.Column("page", String(50), primary_key=True),
    sa.Column("hits", Integer, nullable=False, server_default="0"),
    sa.Column("seen", DateTime(timezone=True)),
    comment="pages and how often they were asked for",
)


def fill(session):
    head = Manager(
        name="Head", email="head@example.org", wage=900, budget=5000, level=Level.HIGH, hired=datetime.date(2010, 5, 1)
    )
    staff = [
        Engineer(
            name=f"Engineer {n}", email=f"e{n}@example.org", wage=400 + n, field=("soil", "water")[n % 2], boss=head
        )
        for n in range(6)
    ]
    session.add_all([head, *staff])
    session.flush()
    for n in range(5):
        project = Project(
            title=f"Project {n}",
            facts={"risk": n, "tags": ["a", f"t{n}"]},
            plain={"n": n},
            words=["x", f"w{n}"],
            during=pg.Range(datetime.date(2024, 1, 1 + n), datetime.date(2024, 6, 1 + n)),
            address=f"10.1.0.{n + 1}",
        )
        project.workers = staff[n % 3 : n % 3 + 2]
        project.tasks = [
            Task(title=f"Task {n}.{k}", hours=k + 1, worker=staff[(n + k) % 6], due=datetime.date(2024, 3, 1 + k))
            for k in range(4)
        ]
        session.add(project)
    session.commit()
    session.execute(insert(counter), [{"page": f"/{n}", "hits": n} for n in range(5)])
    session.commit()


def orm_reads(session):
    run = lambda statement: session.execute(statement).unique().all()  # noqa: E731
    session.get(Project, 1000)
    session.get(Worker, 999)
    run(select(Worker))
    run(select(Engineer).where(Engineer.field == "soil"))
    run(select(Worker.id, Worker.name).order_by(Worker.name.desc().nulls_last()).limit(3).offset(1))
    run(select(Project).options(joinedload(Project.workers), lazyload(Project.tasks)))
    run(select(Project).options(joinedload(Project.tasks, innerjoin=True).joinedload(Task.worker)))
    run(select(Project).options(selectinload(Project.workers), selectinload(Project.tasks).selectinload(Task.worker)))
    run(select(Project).options(subqueryload(Project.workers), raiseload(Project.tasks)).limit(2))
    run(select(Worker).options(selectinload(Worker.team), undefer(Worker.task_count)))
    run(select(Worker).options(sa.orm.selectin_polymorphic(Worker, [Engineer, Manager])))
    run(select(sa.orm.with_polymorphic(Worker, "*")))
    run(select(Project).options(load_only(Project.title), lazyload(Project.tasks)))
    run(select(Project).options(defer(Project.facts), lazyload("*")))
    run(
        select(Task)
        .join(Task.project)
        .options(contains_eager(Task.project).lazyload("*"))
        .where(Project.title.like("Pro%"))
    )
    run(select(Task).options(with_loader_criteria(Task, Task.hours > 1)).limit(2))
    boss = aliased(Worker)
    run(select(Worker.name, boss.name).join(boss, Worker.boss).where(boss.wage > 100))
    run(select(Worker).where(Worker.tasks.any(Task.hours > 2)))
    run(select(Task).where(Task.worker.has(Worker.name == "Engineer 1")))
    run(select(Project).where(~Project.tasks.any(), Project.workers.any()).options(lazyload("*")))
    run(select(Worker).where(Worker.yearly > 5000))
    for project in session.scalars(select(Project).options(lazyload("*"))):
        project.tasks, project.workers
    session.scalar(select(func.count()).select_from(Task))
    session.query(Task).filter(Task.done.is_(False)).filter_by(hours=2).count()
    session.query(Worker).filter(Worker.name.ilike("%GIN%")).order_by(None).first()
    session.query(Task.project_id, func.sum(Task.hours)).group_by(Task.project_id).having(
        func.sum(Task.hours) > 3
    ).all()
    session.query(sa.exists().where(Task.hours > 3)).scalar()
    with session.no_autoflush:
        session.scalars(select(Task).execution_options(yield_per=3)).all()
    for row in session.execute(select(Task.id).execution_options(stream_results=True)):
        str(row)
    project = session.scalars(select(Project)).first()
    session.refresh(project)
    session.refresh(project, ["title"])
    session.expire(project)
    project.title


def core_reads(c):
    t, w, p = Task.__table__, Worker.__table__, Project.__table__
    for statement in [
        select(1),
        select(literal("x").label("y")),
        select(null(), true(), false()),
        select(t).where(t.c.id.in_([1, 2, 3])),
        select(t).where(t.c.id.in_([])),
        select(t).where(t.c.id.not_in([4])),
        select(t.c.hours.distinct()),
        select(t.c.hours).distinct(),
        select(t).distinct(t.c.project_id).order_by(t.c.project_id, t.c.id),
        select(t).where(tuple_(t.c.id, t.c.hours).in_([(1, 2), (3, 4)])),
        select(t).where(or_(t.c.done, not_(t.c.hours > 3), and_(t.c.due.is_(None), t.c.hours.between(1, 2)))),
        select(
            t.c.title + "!",
            t.c.hours * 2,
            t.c.hours % 3,
            -t.c.hours,
            t.c.title.concat("x"),
            t.c.hours / 2,
            t.c.hours // 2,
        ),
        select(t).where(t.c.title.startswith("a%b", autoescape=True)),
        select(t).where(t.c.title.icontains("TASK")),
        select(t).where(t.c.title.regexp_match("^T")),
        select(t.c.title.regexp_replace("a", "b", flags="g")),
        select(t).where(t.c.title.match("task")),
        select(
            func.lower(t.c.title),
            func.coalesce(t.c.due, func.current_date()),
            func.char_length(t.c.title),
            func.now(),
            func.random(),
        ),
        select(cast(t.c.hours, String), sa.type_coerce(t.c.hours, Integer), cast("1", Integer)),
        select(case((t.c.hours > 3, "long"), (t.c.hours > 1, "short"), else_="tiny")),
        select(case({1: "one"}, value=t.c.hours)),
        select(extract("year", t.c.due), extract("dow", t.c.due)),
        select(func.date_trunc("month", t.c.due)),
        select(t.join(p)).where(p.c.version == 1),
        select(w.c.name, t.c.title).select_from(w.outerjoin(t)),
        select(w).join(t, full=True),
        select(w.c.name).where(exists().where(t.c.worker_id == w.c.id)),
        select(w.c.name, select(func.max(t.c.hours)).where(t.c.worker_id == w.c.id).scalar_subquery()),
        select(select(t.c.id).where(t.c.hours > 1).subquery("long")),
        select(t).where(t.c.hours > sa.any_(select(p.c.version).scalar_subquery())),
        select(t).where(t.c.hours == sa.all_(pg.array([1, 2]))),
        select(t.c.id).union(select(p.c.id)),
        select(t.c.id).union_all(select(p.c.id)).order_by("id").limit(3),
        select(t.c.id).intersect(select(w.c.id)),
        select(t.c.id).except_(select(w.c.id)),
        select(func.count().filter(t.c.done), func.count(t.c.id.distinct())),
        select(t.c.project_id, func.sum(t.c.hours)).group_by(func.rollup(t.c.project_id)),
        select(func.count()).select_from(t).group_by(func.cube(t.c.project_id, t.c.worker_id)),
        select(func.count()).select_from(t).group_by(func.grouping_sets(tuple_(t.c.done), tuple_(t.c.hours))),
        select(func.row_number().over(partition_by=t.c.project_id, order_by=t.c.hours.desc())),
        select(func.sum(t.c.hours).over(order_by=t.c.id, rows=(-1, 1))),
        select(func.avg(t.c.hours).over(order_by=t.c.hours, range_=(None, 0))),
        select(func.percentile_cont(0.5).within_group(t.c.hours)),
        select(func.mode().within_group(t.c.title), func.rank(2).within_group(t.c.hours)),
        select(func.string_agg(t.c.title, pg.aggregate_order_by(literal(","), t.c.id.desc()))),
        select(func.array_agg(t.c.id), func.json_agg(t.c.title), func.jsonb_object_agg(t.c.id, t.c.title)),
        select(func.generate_series(1, 3)),
        select(func.generate_series(1, 4, 2).column_valued("step")),
        select(func.unnest(pg.array([1, 2])).column_valued("x")),
        select(func.json_each('{"a": 1}').table_valued("key", "value")),
        select(
            func.jsonb_to_recordset('[{"a": 1}]')
            .table_valued(column("a", Integer), joins_implicitly=True)
            .render_derived(with_types=True)
        ),
        select(values(column("a", Integer), column("b", String), name="v").data([(1, "x"), (2, "y")])),
        select(p.c.facts["risk"], p.c.facts[("tags", 0)].astext),
        select(p).where(p.c.facts["risk"].as_integer() > 1),
        select(p).where(p.c.facts.contains({"risk": 1})),
        select(p).where(p.c.facts.has_key("tags")),
        select(p).where(p.c.facts.path_exists('$.tags[*] ? (@ == "a")')),
        select(p.c.facts - "risk", p.c.facts.concat({"b": 1}), p.c.plain["n"].as_string()),
        select(p).where(p.c.words.contains(["x"])),
        select(p).where(p.c.words.overlap(["w1"])),
        select(p.c.words[1], func.array_length(p.c.words, 1), p.c.words + ["z"]),
        select(p).where(p.c.words.any("x")),
        select(p).where(p.c.during.overlaps(pg.Range(datetime.date(2024, 2, 1), None))),
        select(func.lower(p.c.during), func.upper(p.c.during)),
        select(p).where(p.c.during.contains(datetime.date(2024, 2, 2))),
        select(p).where(p.c.address.op("<<=")("10.0.0.0/8")),
        select(func.host(p.c.address)),
        select(p).where(
            func.to_tsvector("english", p.c.title).bool_op("@@")(func.to_tsquery("english", "project & 1"))
        ),
        select(p).where(p.c.title.op("~*")("^p")),
        select(t).with_for_update(),
        select(t).with_for_update(read=True, nowait=True),
        select(t).with_for_update(skip_locked=True, of=t),
        select(t).with_for_update(key_share=True),
        select(t).with_for_update(key_share=True, read=True),
        select(t.tablesample(func.bernoulli(100), seed=text("3"))),
        select(t).with_hint(t, "ONLY").limit(1),
        select(t).prefix_with("ALL"),
        select(t).suffix_with("FOR NO KEY UPDATE"),
        select(text("a.b")).select_from(text("(VALUES (1)) AS a(b)")),
        select(t).fetch(3),
        select(t).order_by(t.c.hours).fetch(2, with_ties=True),
        select(t).order_by(sa.desc("hours"), sa.nulls_first(t.c.due.asc())),
        select(sa.collate(t.c.title, "C")),
        select(func.pg_catalog.lower("X")),
        select(func.current_user(), func.current_schema(), func.version()),
        text("SELECT now() AS moment"),
        select(func.nextval("project_number")),
        select(Sequence("project_number").next_value()),
        select(func.pg_advisory_xact_lock(5)),
        select(func.txid_current()),
        select(func.set_config("application_name", "recorded-sqlalchemy", True)),
        select(func.to_char(t.c.due, "YYYY-MM")),
    ]:
        c.execute(statement).close()
    week = select(t.c.project_id, func.sum(t.c.hours).label("hours")).group_by(t.c.project_id).cte("week")
    c.execute(select(week).where(week.c.hours > 2))
    c.execute(select(p.c.title, week.c.hours).join(week, week.c.project_id == p.c.id))
    tree = (
        select(w.c.id, w.c.boss_id, literal(0).label("depth")).where(w.c.boss_id.is_(None)).cte("tree", recursive=True)
    )
    tree = tree.union_all(select(w.c.id, w.c.boss_id, tree.c.depth + 1).join(tree, w.c.boss_id == tree.c.id))
    c.execute(select(tree).order_by(tree.c.depth))
    c.execute(select(select(t).cte("m").prefix_with("MATERIALIZED")))
    top = lateral(select(t.c.title).where(t.c.project_id == p.c.id).order_by(t.c.hours.desc()).limit(1))
    c.execute(select(p.c.title, top.c.title).select_from(p.join(top, true())))


def writes(c):
    t, w, p = Task.__table__, Worker.__table__, Project.__table__
    c.execute(insert(t).values(project_id=1000, title="one", hours=1, done=False))
    c.execute(
        insert(t).values([{"project_id": 1000, "title": f"many {n}", "hours": n, "done": False} for n in range(3)])
    )
    c.execute(
        insert(t).values(project_id=1001, title="two", hours=func.length("abc"), done=True).returning(t.c.id, t.c.key)
    )
    c.execute(
        insert(t).from_select(["project_id", "title", "hours", "done"], select(p.c.id, p.c.title + " copy", 1, false()))
    )
    upsert = pg.insert(counter).values(page="/0", hits=1)
    c.execute(upsert.on_conflict_do_nothing())
    c.execute(upsert.on_conflict_do_nothing(index_elements=["page"]))
    c.execute(
        upsert.on_conflict_do_update(
            index_elements=[counter.c.page],
            set_={"hits": counter.c.hits + upsert.excluded.hits},
            where=counter.c.hits < 99,
        )
    )
    c.execute(
        upsert.on_conflict_do_update(constraint=counter.primary_key, set_={"seen": func.now()}).returning(
            counter.c.hits
        )
    )
    c.execute(update(t).where(t.c.title == "one").values(hours=t.c.hours + 1))
    c.execute(update(t).where(t.c.worker_id == w.c.id, w.c.name == "Head").values(done=True))
    c.execute(update(t).values(hours=select(func.max(p.c.version)).scalar_subquery()).where(t.c.id == 1).returning(t))
    c.execute(update(p).values({p.c.facts["risk"]: cast(7, pg.JSONB), p.c.words[1]: "changed"}))
    c.execute(update(p).ordered_values((p.c.title, "Project X"), (p.c.version, 3)).where(p.c.id == 1004))
    c.execute(delete(t).where(t.c.title == "two"))
    c.execute(delete(t).where(t.c.project_id == p.c.id, p.c.title == "none").returning(t.c.id))
    gone = delete(t).where(t.c.title == "many 1").returning(t.c.id).cte("gone")
    c.execute(select(func.count()).select_from(gone))
    made = insert(counter).values(page="/cte").returning(counter.c.page).cte("made")
    c.execute(select(made.c.page).union_all(select(counter.c.page)))
    c.execute(
        text(
            "MERGE INTO hit_counter h USING (VALUES ('/0'), ('/new')) AS v(page) ON h.page = v.page "
            "WHEN MATCHED THEN UPDATE SET hits = hits + 1 WHEN NOT MATCHED THEN INSERT (page) VALUES (v.page)"
        )
    )


def orm_writes(session):
    task = session.scalars(select(Task).limit(1)).one()
    task.title = "renamed"
    task.due = datetime.date(2025, 1, 1)
    session.flush()
    project = session.get(Project, 1002)
    project.facts = {"risk": 9}
    project.workers.clear()
    session.flush()
    project.workers.append(session.scalars(select(Worker).limit(1)).one())
    session.flush()
    with session.begin_nested() as point:
        session.add(Task(title="nested", project=project))
        session.flush()
        point.rollback()
    with session.begin_nested():
        session.add(Task(title="kept", project=project, hours=Task.hours.default.arg + 1))
    session.merge(Task(id=task.id, title="merged", project_id=project.id, hours=2, done=False))
    session.flush()
    session.execute(
        update(Task).where(Task.hours > 3).values(done=True), execution_options={"synchronize_session": "fetch"}
    )
    session.execute(delete(Task).where(Task.title == "kept"))
    session.execute(
        insert(Task).returning(Task),
        [{"project_id": project.id, "title": f"bulk {n}", "hours": 1, "done": False} for n in range(3)],
    )
    session.execute(update(Worker), [{"id": 11, "name": "Renamed"}, {"id": 12, "name": "Other"}])
    session.bulk_insert_mappings(Task, [{"project_id": project.id, "title": "mapped", "hours": 1, "done": False}])
    session.delete(session.scalars(select(Engineer).order_by(Engineer.id.desc()).limit(1)).one())
    session.flush()
    session.get(Project, 1001, with_for_update=True)
    session.refresh(project, with_for_update={"nowait": True})
    session.commit()
    with Session(session.get_bind().execution_options(isolation_level="SERIALIZABLE")) as other:
        other.scalar(select(func.count(Task.id)))
    with Session(session.get_bind().execution_options(isolation_level="AUTOCOMMIT")) as other:
        other.scalar(select(func.max(Task.id)))
    with Session(session.get_bind().execution_options(postgresql_readonly=True, postgresql_deferrable=True)) as other:
        other.scalar(select(func.min(Task.id)))


def schema(engine):
    """Reflection, inspection and DDL that goes away again."""
    look = inspect(engine)
    look.get_schema_names()
    for name in look.get_table_names() + look.get_view_names():
        look.get_columns(name)
        look.get_pk_constraint(name)
        look.get_foreign_keys(name)
        look.get_indexes(name)
        look.get_unique_constraints(name)
        look.get_check_constraints(name)
        look.get_table_comment(name)
    look.has_table("task")
    look.has_sequence("project_number")
    look.get_sequence_names()
    look.get_enums()
    look.get_domains()
    look.get_multi_columns()
    look.get_view_definition("busy_worker")
    look.get_materialized_view_names()
    look.get_temp_table_names()
    sa.MetaData().reflect(engine, views=True)
    other = sa.MetaData()
    gone = Table(
        "gone",
        other,
        sa.Column("id", Integer, primary_key=True),
        sa.Column("a", String, index=True, comment="a text"),
        sa.Column("b", pg.JSONB),
        prefixes=["UNLOGGED"],
        comment="soon gone",
    )
    other.create_all(engine)
    with engine.begin() as c:
        c.execute(sa.schema.CreateSchema("alchemy_more", if_not_exists=True))
        c.execute(sa.schema.CreateIndex(Index("gone_b", gone.c.b, postgresql_using="gin"), if_not_exists=True))
        c.execute(sa.schema.CreateSequence(Sequence("gone_number", increment=2, minvalue=0, start=4, cycle=True)))
        c.execute(sa.schema.AddConstraint(UniqueConstraint(gone.c.a, name="gone_a_once")))
        c.execute(sa.schema.DropConstraint(UniqueConstraint(gone.c.a, name="gone_a_once")))
        c.execute(sa.schema.DropTableComment(gone))
        c.execute(sa.schema.DropSequence(Sequence("gone_number")))
        c.execute(sa.schema.DropSchema("alchemy_more", cascade=True))
        c.execute(text("CREATE TEMPORARY TABLE scratch ON COMMIT DROP AS SELECT * FROM task WHERE hours > 1"))
        c.execute(text("ALTER TABLE gone ADD COLUMN d timestamptz DEFAULT now(), ALTER COLUMN a SET NOT NULL"))
    other.drop_all(engine)
    two_phase = engine.connect()
    transaction = two_phase.begin_twophase("recorded")
    two_phase.execute(select(1))
    transaction.rollback()
    two_phase.close()


def main():
    engine = sa.create_engine(
        "postgresql+psycopg2://",
        creator=lambda: psycopg2.connect(
            os.environ["POINTSMAN_RECORD_DSN"],
            application_name="recorded-sqlalchemy",
            options=f"-c search_path={SCHEMA},public",
        ),
    )
    Base.metadata.create_all(engine)
    with engine.begin() as c:
        c.execute(text("CREATE VIEW busy_worker AS SELECT worker_id, count(*) AS n FROM task GROUP BY worker_id"))
    with Session(engine) as session:
        fill(session)
        orm_reads(session)
    with engine.begin() as c:
        core_reads(c)
        writes(c)
    with Session(engine) as session:
        orm_writes(session)
    schema(engine)


if __name__ == "__main__":
    main()
