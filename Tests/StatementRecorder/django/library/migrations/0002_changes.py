"""What schemas go through as they age: new columns, data, other types, renamed and removed things."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def fill(apps, editor):
    publisher = apps.get_model("library", "Publisher")
    publisher.objects.create(name="House Zero", founded=1900)
    publisher.objects.filter(founded__lt=1950).update(country="--")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("library", "0001_initial")]
    operations = [
        migrations.AddField("publisher", "country", models.CharField(max_length=2, default="", db_default="")),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("publisher", "founded", models.BigIntegerField(null=True, db_index=True)),
        migrations.AlterField("author", "name", models.CharField(max_length=250, db_comment="as on the cover")),
        migrations.AlterModelTableComment("author", "Who writes"),
        migrations.AddField("author", "pen_name", models.CharField(max_length=100, null=True)),
        migrations.RenameField("author", "pen_name", "alias"),
        migrations.RemoveField("author", "alias"),
        AddIndexConcurrently("copy", models.Index(fields=["shelf"], name="copy_shelf")),
        migrations.RenameIndex("copy", new_name="copy_by_shelf", old_name="copy_shelf"),
        migrations.CreateModel(
            "Passing", [("id", models.BigAutoField(primary_key=True)), ("n", models.IntegerField())]
        ),
        migrations.AlterModelTable("passing", "library_gone"),
        migrations.RunSQL("CREATE VIEW library_titles AS SELECT id, title FROM library_book"),
        migrations.DeleteModel("Passing"),
        migrations.AddConstraint(
            "authorship",
            models.CheckConstraint(condition=models.Q(share__gt=0) & models.Q(share__lte=1), name="share_is_a_part"),
        ),
        migrations.AlterUniqueTogether("authorship", {("book", "author", "position")}),
    ]
