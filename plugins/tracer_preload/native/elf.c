/*
 * What kind of program a file is, from its first page and its dynamic section (elf(5)).
 *
 * Statically linked: no PT_INTERP, and not ld.so itself, which is told by not being DF_1_PIE. Go:
 * the note Go's linker leaves, for Go makes its own system calls even where it links dynamically.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>

#include "programs.h"
#include "raw.h"
#include "text.h"

#define SCRIPT_DEPTH 4 /* BINPRM_BUF_SIZE and the kernel's own limit on scripts run by scripts */
#define SEGMENTS_MAX 16
#define DYNAMIC_MAX 64

#if defined(__x86_64__)
#    define OUR_MACHINE EM_X86_64
#else
#    define OUR_MACHINE EM_AARCH64
#endif

/* Each part is read when it is needed, so that none of them lies on the stack beside the others. */
struct program_head {
    ElfW(Ehdr) elf;
    ElfW(Phdr) segments[SEGMENTS_MAX];
    int count;
};

static const ElfW(Phdr) * segment(const struct program_head *head, uint32_t type) {
    for (int i = 0; i < head->count; i++)
        if (head->segments[i].p_type == type)
            return &head->segments[i];
    return NULL;
}

static uint64_t file_offset(const struct program_head *head, uint64_t address) {
    for (int i = 0; i < head->count; i++) {
        const ElfW(Phdr) *s = &head->segments[i];
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr < s->p_filesz)
            return address - s->p_vaddr + s->p_offset;
    }
    return 0;
}

/* Whether one of the notes is named as Go's linker names its own (cmd/link: ELFNOTE_GO_NAME). */
static __attribute__((noinline)) bool has_go_note(int fd, const ElfW(Phdr) * notes) {
    char bytes[512];
    long got = raw_pread(fd, bytes, sizeof bytes, (int64_t)notes->p_offset);
    size_t size = got < 0 ? 0 : (size_t)got < notes->p_filesz ? (size_t)got : notes->p_filesz;
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) + 4 <= size;) {
        ElfW(Nhdr) note;
        text_copy(&note, bytes + at, sizeof note);
        at += sizeof note;
        if (note.n_namesz == 4 && text_equal(bytes + at, "Go\0\0", 4))
            return true;
        at +=
            (((size_t)note.n_namesz + 3) & ~(size_t)3) + (((size_t)note.n_descsz + 3) & ~(size_t)3);
    }
    return false;
}

static bool is_go(int fd, const struct program_head *head) {
    for (int i = 0; i < head->count; i++)
        if (head->segments[i].p_type == PT_NOTE && has_go_note(fd, &head->segments[i]))
            return true;
    return false;
}

static __attribute__((noinline)) bool is_foreign_libc(int fd, const ElfW(Phdr) * interpreter) {
    char name[128];
    long got = raw_pread(fd, name, sizeof name - 1, (int64_t)interpreter->p_offset);
    if (got <= 0)
        return false;
    name[got] = 0;
    const char *base = text_base(name);
    return !text_starts(base, "ld-linux") && !text_starts(base, "ld.so") &&
           !text_starts(base, "ld64.so");
}

/* Sanitizers stop a program in which another library comes before them. */
static __attribute__((noinline)) bool is_first_library(int fd, int64_t at) {
    char name[16];
    long got = raw_pread(fd, name, sizeof name - 1, at);
    if (got <= 0)
        return false;
    name[got] = 0;
    return text_starts(name, "libasan.so") || text_starts(name, "libtsan.so") ||
           text_starts(name, "libhwasan.so");
}

struct dynamic_facts {
    bool is_pie;
    bool wants_first;
};

static __attribute__((noinline)) struct dynamic_facts dynamic_facts(int fd,
                                                                    const struct program_head *h) {
    struct dynamic_facts facts = {false, false};
    const ElfW(Phdr) *dynamic = segment(h, PT_DYNAMIC);
    ElfW(Dyn) entries[DYNAMIC_MAX];
    if (!dynamic)
        return facts;
    long got = raw_pread(fd, entries, sizeof entries, (int64_t)dynamic->p_offset);
    int count = got > 0 ? (int)((size_t)got / sizeof entries[0]) : 0;
    uint64_t names = 0;
    for (int i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag == DT_STRTAB)
            names = file_offset(h, entries[i].d_un.d_ptr);
        else if (entries[i].d_tag == DT_FLAGS_1)
            facts.is_pie = entries[i].d_un.d_val & DF_1_PIE;
    }
    for (int i = 0; i < count && entries[i].d_tag != DT_NULL && !facts.wants_first; i++)
        if (entries[i].d_tag == DT_NEEDED && names)
            facts.wants_first = is_first_library(fd, (int64_t)(names + entries[i].d_un.d_val));
    return facts;
}

static __attribute__((noinline)) uint32_t inspect_elf(int fd) {
    struct program_head head;
    if (raw_pread(fd, &head.elf, sizeof head.elf, 0) < (long)sizeof head.elf)
        return 0;
    if (head.elf.e_ident[EI_CLASS] != ELFCLASS64 || head.elf.e_machine != OUR_MACHINE)
        return ROAR_GAP_FOREIGN_ABI;
    if (head.elf.e_phentsize != sizeof(ElfW(Phdr)))
        return 0;
    head.count = head.elf.e_phnum < SEGMENTS_MAX ? head.elf.e_phnum : SEGMENTS_MAX;
    size_t size = (size_t)head.count * sizeof(ElfW(Phdr));
    if (raw_pread(fd, head.segments, size, (int64_t)head.elf.e_phoff) < (long)size)
        return 0;
    if (is_go(fd, &head))
        return ROAR_GAP_DIRECT_CALLS;
    const ElfW(Phdr) *interpreter = segment(&head, PT_INTERP);
    struct dynamic_facts facts = dynamic_facts(fd, &head);
    if (!interpreter)
        return head.elf.e_type == ET_EXEC || facts.is_pie ? ROAR_GAP_STATIC : 0;
    if (is_foreign_libc(fd, interpreter))
        return ROAR_GAP_FOREIGN_LIBC;
    return facts.wants_first ? ROAR_GAP_INTERPOSER : 0;
}

static __attribute__((noinline)) uint32_t inspect_script(int fd, int depth) {
    char line[256];
    long got = raw_pread(fd, line, sizeof line - 1, 0);
    if (got < 4 || depth >= SCRIPT_DEPTH)
        return 0;
    line[got] = 0;
    char *start = line + 2;
    while (*start == ' ' || *start == '\t')
        start++;
    char *end = start;
    while (*end && *end != ' ' && *end != '\t' && *end != '\n')
        end++;
    *end = 0;
    int interpreter = raw_open(AT_FDCWD, start, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (interpreter < 0)
        return 0;
    uint32_t gap = roar_inspect_file(interpreter, depth + 1);
    raw_close(interpreter);
    return gap;
}

uint32_t roar_inspect_file(int fd, int depth) {
    char magic[4];
    if (raw_pread(fd, magic, sizeof magic, 0) < 4)
        return 0;
    if (text_equal(magic, ELFMAG, SELFMAG))
        return inspect_elf(fd);
    return text_equal(magic, "#!", 2) ? inspect_script(fd, depth) : 0;
}
