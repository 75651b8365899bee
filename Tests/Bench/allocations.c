// Counts heap allocations by the object that asked for them. Loaded into the daemon with LD_PRELOAD by deploy/bench, for
// figure F8: allocations for each request that are not libpq's own.
//
// The counters lie in the file that POINTSMAN_ALLOCATIONS names, mapped shared, so that the load generator reads them
// while the daemon works and nothing has to be asked of the daemon. strdup and strndup are here too: libpq copies each
// statement's text with strdup, and inside the C library the allocation would have no owner.
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// glibc's own names for what is replaced here: no dlsym, which allocates.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { OWNER_LIMIT = 64, RANGE_LIMIT = 256 };

// AllocationCounts.swift reads the same layout.
struct owner {
    char name[56];
    _Atomic uint64_t allocations;
};
struct counts {
    uint64_t owner_count;
    struct owner owners[OWNER_LIMIT];
};

struct range {
    uintptr_t start, end;
    uint32_t owner;
};

// Owner 0: not known, or before the constructor ran.
static struct counts early = {.owner_count = 1, .owners = {{.name = "?"}}};
static struct counts *counts = &early;
static struct range ranges[RANGE_LIMIT];
static size_t range_count;

static int add_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    if (early.owner_count == OWNER_LIMIT) return 0;
    const char *path = info->dlpi_name[0] == '\0' ? "daemon" : info->dlpi_name;
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    uint32_t owner = (uint32_t)early.owner_count++;
    strncpy(early.owners[owner].name, name, sizeof early.owners[owner].name - 1);
    for (int i = 0; i < info->dlpi_phnum && range_count < RANGE_LIMIT; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0) continue;
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        ranges[range_count++] = (struct range){start, start + header->p_memsz, owner};
    }
    return 0;
}

static int by_start(const void *left, const void *right) {
    uintptr_t a = ((const struct range *)left)->start, b = ((const struct range *)right)->start;
    return a < b ? -1 : a > b;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POINTSMAN_ALLOCATIONS");
    if (path == NULL) return;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    void *shared = MAP_FAILED;
    if (ftruncate(file, sizeof(struct counts)) == 0)
        shared = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) return;
    dl_iterate_phdr(add_object, NULL);
    qsort(ranges, range_count, sizeof ranges[0], by_start);
    memcpy(shared, &early, sizeof early);
    counts = shared;
}

static void count(const void *caller) {
    uintptr_t address = (uintptr_t)caller;
    size_t low = 0, high = range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].end <= address) low = middle + 1;
        else high = middle;
    }
    bool is_known = low < range_count && ranges[low].start <= address;
    uint32_t owner = is_known ? ranges[low].owner : 0;
    atomic_fetch_add_explicit(&counts->owners[owner].allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(__builtin_return_address(0));
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    count(__builtin_return_address(0));
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? 12 /* ENOMEM */ : 0;
}

static char *copy(const char *text, size_t length) {
    char *memory = __libc_malloc(length + 1);
    if (memory == NULL) return NULL;
    memcpy(memory, text, length);
    memory[length] = '\0';
    return memory;
}

char *strdup(const char *text) {
    count(__builtin_return_address(0));
    return copy(text, strlen(text));
}

char *strndup(const char *text, size_t limit) {
    count(__builtin_return_address(0));
    return copy(text, strnlen(text, limit));
}
