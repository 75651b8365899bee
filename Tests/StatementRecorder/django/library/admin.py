from django.contrib import admin

from library import models


class AuthorshipInline(admin.TabularInline):
    model = models.Authorship


@admin.register(models.Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "isbn", "price", "publisher"]
    list_filter = ["binding", "withdrawn", "publisher"]
    search_fields = ["title", "authors__name"]
    date_hierarchy = "published"
    inlines = [AuthorshipInline]
    exclude = ["vector", "numbers"]
    list_select_related = ["publisher"]


admin.site.register([models.Author, models.Publisher, models.Category, models.Loan, models.Member])
