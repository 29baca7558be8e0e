/*
 * What the kernel tells of traced process trees: opens and names at the exits of their system
 * calls, programs and processes by the scheduler's tracepoints, and reading and writing by the
 * tracepoints of page cache and inode times.
 *
 * Compiled by bcc without kernel headers: every OFF_*, NR_* and CLASS_* comes from layout.py, which
 * takes the offsets from the running kernel's BTF. A path is walked from `struct file` while the
 * call that opened it returns, so a descriptor closed, renamed or reused later changes nothing.
 *
 * Every program asks first whether the process is traced: the rest of the machine pays one look-up.
 */

#define DATA_WALK 12288 /* components of both paths end here */
#define DATA_MASK 16383
#define NAME_MAX_READ 4096
#define DATA_SIZE (DATA_MASK + 1 + NAME_MAX_READ)
#define WALK_STEPS 20
#define WALK_ROUNDS 6 /* 120 components: more than PATH_MAX needs with names of 33 bytes */

#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define FMODE_READ 1
#define FMODE_WRITE 2
#define FMODE_PATH (1 << 14)
#define FMODE_CREATED (1 << 20)
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_TMPFILE_BIT 020000000
#define AT_FDCWD (-100)
#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP2_SUPER_MAGIC 0x63677270
#define TRACEFS_MAGIC 0x74726163
#define DEBUGFS_MAGIC 0x64626720

enum kind {
    FORK = 1,
    EXIT,
    EXEC,
    OPEN,
    READ,
    WRITTEN,
    RENAME,
    LINK,
    UNLINK,
    TRUNCATE,
    MAPPED,
    IO_URING,
};

/* Event flags. */
#define CUT 1       /* deeper than we walk, or too long */
#define DETACHED 2  /* its mount hangs in no tree any more */
#define SAME_BASE 4 /* both names start at path 0 */
#define HAS_AFTER 8
#define HAS_BEFORE 16
#define NO_NAME 32     /* a name could not be read */
#define FOREIGN 64     /* a 32-bit program: its system calls have other numbers */
#define PRIVILEGED 128 /* became a user whose files are not the asker's to see */
#define CODE 256       /* mapped executable */

struct print {
    u64 ino;
    u64 size;
    s64 mtime_sec;
    s64 ctime_sec;
    u32 mtime_nsec;
    u32 ctime_nsec;
    u32 dev;
    u32 gen;
    u32 mode;
    u32 nlink;
    u32 magic;
    u32 iflags;
};

struct head {
    u16 kind;
    u16 flags;
    u32 run;
    u32 pid;
    u32 tid;
    u64 time;
    s64 value;
};

struct event {
    struct head head;
    u32 nr;
    u32 open_flags;
    u32 f_mode;
    u32 spare;
    struct print after;
    struct print before;
    u32 ends[4]; /* of path 0, path 1, name 0 and name 1 in data */
    char data[DATA_SIZE];
};

struct touch {
    struct head head;
    u32 nr;
    u32 spare[3];
    struct print print;
};

/* A name of a file, as far as it can be told from another without walking it. */
struct open_key {
    u64 dentry;
    u64 mount;
    u32 run;
    u32 intent;
};

struct open_seen {
    u64 ino;
    u64 parent;
    u64 hash_len;
    u64 version;
    u32 dev;
    u32 gen;
};

struct inode_key {
    u64 ino;
    u32 dev;
    u32 gen;
    u32 run;
    u32 spare;
};

#define SEEN_READ 1
#define SEEN_WRITTEN 2
#define SEEN_MINE 4 /* its content is the run's own: versions of it are of no interest */

struct work {
    u64 dentry;
    u64 mount;
    u64 next_dentry;
    u64 next_mount;
    u64 names[2];
    u64 argv_end;
    u64 inode;
    u32 off;
    u32 stage;
    u32 rounds;
    u32 dedup; /* 0: always told */
    struct open_key key;
    struct open_seen seen;
    struct event event;
};

/* Inodes whose times a call has set that is about names: what it takes away is gone at its exit. */
struct captured {
    u64 inode[2];
    struct print print[2];
    u32 count;
    u32 spare;
};

struct traced {
    u32 run;
    u32 uid;
};

/* What a process number is likely to be, without hashing: the look-up of an array is a few
 * instructions. `state` 0: surely not traced; OWNED: by `tgid`; else ask the hash. */
struct slot {
    u32 tgid;
    u32 run;
    u32 uid;
    u32 state;
};

#define SLOTS 65536
#define OWNED 1
#define SHARED 2

/* The inodes read last: most reading is of the same few again. */
struct recent {
    u64 inode;
    u64 run;
};

#define RECENT 1024

struct run_counts {
    u64 lost;
};

BPF_HASH(tracked, u32, struct traced, 65536);
BPF_HASH(runs, u32, struct run_counts, 1024);
BPF_TABLE("lru_hash", struct open_key, struct open_seen, opened, 32768);
BPF_TABLE("lru_hash", struct inode_key, u32, inodes, 65536);
BPF_TABLE("lru_hash", u32, struct captured, captures, 2048);
BPF_PERCPU_ARRAY(works, struct work, 1);
BPF_PERCPU_ARRAY(blanks, struct captured, 1);
BPF_ARRAY(classes, u32, 512);
BPF_ARRAY(slots, struct slot, SLOTS);
BPF_ARRAY(recents, struct recent, RECENT);
BPF_RINGBUF_OUTPUT(events, RING_PAGES);
BPF_PROG_ARRAY(steps, 2);
BPF_PROG_ARRAY(raw_steps, 2);

#define WALK 0
#define EMIT 1

/* bpf-helpers(7); bcc's own table of names ends before these. */
static u64 (*current_task_btf)(void) = (void *)158;
static u64 (*task_registers)(u64 task) = (void *)175;

#define GET(type, base, offset)                                                                    \
    ({                                                                                             \
        type got_ = 0;                                                                             \
        bpf_probe_read_kernel(&got_, sizeof got_, (void *)((u64)(base) + (offset)));               \
        got_;                                                                                      \
    })

static __always_inline u32 call_number(u64 registers) {
    return GET(u32, registers, REG_NR);
}

/* The run of the current process, 0 when it is not traced. */
static __always_inline u32 run_of(u32 tgid) {
    u32 at = tgid & (SLOTS - 1);
    struct slot *slot = slots.lookup(&at);
    if (!slot || !slot->state)
        return 0;
    if (slot->state == OWNED && slot->tgid == tgid)
        return slot->run;
    struct traced *traced = tracked.lookup(&tgid);
    return traced ? traced->run : 0;
}

static __always_inline struct recent *recent_of(u64 inode) {
    u32 at = (inode >> 6 ^ inode >> 16) & (RECENT - 1);
    return recents.lookup(&at);
}

static __always_inline void fill_head(struct head *head, int kind, u32 run) {
    u64 id = bpf_get_current_pid_tgid();
    head->kind = kind;
    head->flags = 0;
    head->run = run;
    head->pid = id >> 32;
    head->tid = (u32)id;
    head->value = 0;
}

#define FROM(type, block, offset) (*(type *)((block) + (offset)))

static __always_inline void fill_print(struct print *p, u64 inode) {
    /* One copy of the beginning costs less than nine of single members. */
    char block[RAW_INODE] __attribute__((aligned(8)));
    bpf_probe_read_kernel(block, sizeof block, (void *)inode);
    u64 super = FROM(u64, block, OFF_inode_i_sb);
    p->ino = FROM(u64, block, OFF_inode_i_ino);
    p->size = FROM(u64, block, OFF_inode_i_size);
    p->mtime_sec = FROM(s64, block, OFF_inode_mtime_sec);
    p->ctime_sec = FROM(s64, block, OFF_inode_ctime_sec);
    p->mtime_nsec = FROM(u32, block, OFF_inode_mtime_nsec);
    /* fs.h: the top bit says that somebody has asked for the time. */
    p->ctime_nsec = FROM(u32, block, OFF_inode_ctime_nsec) & 0x7fffffff;
    char more[RAW_SUPER_BLOCK] __attribute__((aligned(8)));
    bpf_probe_read_kernel(more, sizeof more, (void *)super);
    p->dev = FROM(u32, more, OFF_super_block_s_dev);
#if OFF_inode_i_generation + 4 <= RAW_INODE
    p->gen = FROM(u32, block, OFF_inode_i_generation);
#else
    p->gen = GET(u32, inode, OFF_inode_i_generation);
#endif
    p->mode = FROM(u16, block, OFF_inode_i_mode);
    p->nlink = FROM(u32, block, OFF_inode_i_nlink);
    p->magic = FROM(u32, more, OFF_super_block_s_magic);
    p->iflags = FROM(u32, block, OFF_inode_i_flags);
}

static __always_inline void count_lost(u32 run) {
    struct run_counts *counts = runs.lookup(&run);
    if (counts)
        __sync_fetch_and_add(&counts->lost, 1);
}

/* The collector looks every few milliseconds: waking it for each event would cost the process. */
static __always_inline int put(void *data, u64 size, u32 run) {
    ((struct head *)data)->time = bpf_ktime_get_ns();
    int failed = events.ringbuf_output(data, size, 1 /* BPF_RB_NO_WAKEUP */);
    /* The ring's lock may be given up on under contention: that is no lack of room. */
    if (failed)
        failed = events.ringbuf_output(data, size, 1);
    if (failed)
        count_lost(run);
    return failed;
}

static __always_inline u64 file_of(u64 task, u32 fd) {
    u64 files = GET(u64, task, OFF_task_struct_files);
    u64 table = GET(u64, files, OFF_files_struct_fdt);
    if (fd >= GET(u32, table, OFF_fdtable_max_fds))
        return 0;
    return GET(u64, GET(u64, table, OFF_fdtable_fd), (u64)fd * 8);
}

static __always_inline void at_path(struct work *w, u64 path, int second) {
    u64 dentry = GET(u64, path, OFF_path_dentry);
    u64 mount = GET(u64, path, OFF_path_mnt) - OFF_mount_mnt;
    if (second) {
        w->next_dentry = dentry;
        w->next_mount = mount;
    } else {
        w->dentry = dentry;
        w->mount = mount;
    }
}

static __always_inline struct work *begin(int kind, u32 run) {
    int zero = 0;
    struct work *w = works.lookup(&zero);
    if (!w)
        return 0;
    fill_head(&w->event.head, kind, run);
    w->event.nr = w->event.open_flags = w->event.f_mode = 0;
    w->event.ends[0] = w->event.ends[1] = w->event.ends[2] = w->event.ends[3] = 0;
    w->next_dentry = w->names[0] = w->names[1] = 0;
    w->off = w->stage = w->rounds = w->dedup = 0;
    return w;
}

static __always_inline void end_path(struct work *w) {
    if (w->stage < 2)
        w->event.ends[w->stage & 1] = w->off;
    if (w->next_dentry && w->stage == 0) {
        w->dentry = w->next_dentry;
        w->mount = w->next_mount;
        w->next_dentry = 0;
    } else {
        w->dentry = 0;
    }
    w->stage++;
}

/* Write names from the leaf to the root, each with its terminator. Unlocked: a rename at the same
 * moment may mix two paths, so the collector checks what matters by device and inode. */
static __always_inline void walk_some(struct work *w) {
    for (int i = 0; i < WALK_STEPS; i++) {
        u64 dentry = w->dentry, mount = w->mount;
        if (!dentry)
            return;
        if (dentry == GET(u64, mount, OFF_mount_mnt + OFF_vfsmount_mnt_root)) {
            u64 parent = GET(u64, mount, OFF_mount_mnt_parent);
            if (parent == mount || !parent) {
                if (!GET(u64, mount, OFF_mount_mnt_ns))
                    w->event.head.flags |= DETACHED;
                end_path(w);
                continue;
            }
            w->dentry = GET(u64, mount, OFF_mount_mnt_mountpoint);
            w->mount = parent;
            continue;
        }
        u64 parent = GET(u64, dentry, OFF_dentry_d_parent);
        if (parent == dentry || !parent) {
            w->event.head.flags |= DETACHED;
            end_path(w);
            continue;
        }
        u32 off = w->off;
        if (off > DATA_WALK - 256) {
            w->event.head.flags |= CUT;
            end_path(w);
            continue;
        }
        u64 name = GET(u64, dentry, OFF_dentry_d_name + OFF_qstr_name);
        int got = bpf_probe_read_kernel_str(&w->event.data[off & DATA_MASK], 256, (void *)name);
        if (got < 1)
            w->event.head.flags |= NO_NAME;
        else
            w->off = off + got;
        w->dentry = parent;
    }
}

static __always_inline int walk_on(struct work *w) {
    walk_some(w);
    if (!w->dentry)
        return 0;
    if (++w->rounds < WALK_ROUNDS)
        return 1;
    w->event.head.flags |= CUT;
    end_path(w);
    w->dentry = 0;
    return 0;
}

static __always_inline void remember(struct work *w) {
    struct event *e = &w->event;
    struct inode_key key = {e->after.ino, e->after.dev, e->after.gen, e->head.run, 0};
    u32 known = 0, *flags = inodes.lookup(&key);
    if (flags)
        known = *flags;
    if (w->key.intent & (FMODE_CREATED | O_TRUNC | O_TMPFILE_BIT))
        known |= SEEN_MINE;
    /* What is read from now on is told again: only that can prove this open. */
    if (e->f_mode & FMODE_READ)
        known &= ~SEEN_READ;
    inodes.update(&key, &known);
    struct recent *recent = recent_of(w->inode);
    if (recent && recent->inode == w->inode)
        recent->run = 0;
    opened.update(&w->key, &w->seen);
}

static __always_inline void emit(struct work *w) {
    struct event *e = &w->event;
    u32 off = w->off;
    for (int i = 0; i < 2; i++) {
        u64 name = w->names[i];
        if (name) {
            int got;
            char *to = &e->data[off & DATA_MASK];
            if (e->head.kind != EXEC) {
                got = bpf_probe_read_user_str(to, NAME_MAX_READ, (void *)name);
            } else if (i == 0) {
                got = bpf_probe_read_kernel_str(to, NAME_MAX_READ, (void *)name);
            } else {
                u64 size = w->argv_end - name;
                if (size > NAME_MAX_READ - 1)
                    size = NAME_MAX_READ - 1;
                got = bpf_probe_read_user(to, size & (NAME_MAX_READ - 1), (void *)name);
                got = got < 0 ? 0 : size;
            }
            if (got < 0)
                e->head.flags |= NO_NAME;
            else
                off += got;
        }
        e->ends[2 + i] = off;
    }
    u64 size = sizeof(*e) - DATA_SIZE + (off & 0x7fff);
    if (size > sizeof *e)
        size = sizeof *e;
    if (!put(e, size, e->head.run) && w->dedup)
        remember(w);
}

static __always_inline struct work *current_work(void) {
    int zero = 0;
    return works.lookup(&zero);
}

int walk(void *ctx) {
    struct work *w = current_work();
    if (w)
        steps.call(ctx, walk_on(w) ? WALK : EMIT);
    return 0;
}

int emit_event(void *ctx) {
    struct work *w = current_work();
    if (w)
        emit(w);
    return 0;
}

int raw_walk(void *ctx) {
    struct work *w = current_work();
    if (w)
        raw_steps.call(ctx, walk_on(w) ? WALK : EMIT);
    return 0;
}

int raw_emit_event(void *ctx) {
    struct work *w = current_work();
    if (w)
        emit(w);
    return 0;
}

/* --- system calls ---------------------------------------------------------------------------- */

struct exit_context {
    u64 common;
    s32 nr;
    s32 pad;
    s64 ret;
};

static __always_inline int is_no_file(struct print *p) {
    if ((p->mode & S_IFMT) != S_IFREG)
        return 1;
    return p->magic == PROC_SUPER_MAGIC || p->magic == SYSFS_MAGIC ||
           p->magic == CGROUP2_SUPER_MAGIC || p->magic == TRACEFS_MAGIC ||
           p->magic == DEBUGFS_MAGIC;
}

/* Whether the same was told of the same name and version before; else what to remember of it. A
 * version of 0 stands for all: those of the run's own file, and those nobody reads. */
static __always_inline int is_told(struct work *w, u32 intent) {
    struct print *p = &w->event.after;
    char block[RAW_DENTRY] __attribute__((aligned(8)));
    if (bpf_probe_read_kernel(block, sizeof block, (void *)w->dentry))
        return 0;
    w->key.dentry = w->dentry;
    w->key.mount = w->mount;
    w->key.run = w->event.head.run;
    w->key.intent = intent;
    w->seen.ino = p->ino;
    w->seen.dev = p->dev;
    w->seen.gen = p->gen;
    w->seen.parent = FROM(u64, block, OFF_dentry_d_parent);
    w->seen.hash_len = FROM(u64, block, OFF_dentry_d_name + OFF_qstr_hash_len);
    w->seen.version = 0;
    w->dedup = 1;
    int is_read = w->event.f_mode & FMODE_READ;
    if (is_read)
        w->seen.version = p->size * 31 ^ (u64)p->mtime_sec << 30 ^ p->mtime_nsec ^
                          (u64)p->ctime_sec << 33 ^ (u64)p->ctime_nsec << 3 ^ 1;
    struct open_seen *seen = opened.lookup(&w->key);
    if (seen && seen->ino == w->seen.ino && seen->parent == w->seen.parent &&
        seen->hash_len == w->seen.hash_len &&
        (seen->version == w->seen.version || !seen->version) && seen->dev == w->seen.dev &&
        seen->gen == w->seen.gen)
        return 1;
    if (is_read) {
        struct inode_key key = {p->ino, p->dev, p->gen, w->key.run, 0};
        u32 *flags = inodes.lookup(&key);
        if (flags && *flags & SEEN_MINE)
            w->seen.version = 0;
    }
    return 0;
}

static __always_inline void take_capture(struct work *w, u32 tid, u64 inode) {
    struct captured *c = captures.lookup(&tid);
    if (!c)
        return;
    if (c->count && c->inode[0] == inode) {
        w->event.before = c->print[0];
        w->event.head.flags |= HAS_BEFORE;
    }
    captures.delete(&tid);
}

/* An open that succeeded. 0: nothing to tell. */
static __always_inline int opened_file(struct work *w, u64 task, u64 registers, u32 class, u32 fd) {
    struct event *e = &w->event;
    u64 file = file_of(task, fd);
    char block[RAW_FILE] __attribute__((aligned(8)));
    if (bpf_probe_read_kernel(block, sizeof block, (void *)file))
        return 0;
    e->f_mode = FROM(u32, block, OFF_file_f_mode);
    if (e->f_mode & FMODE_PATH)
        return 0;
    u64 inode = FROM(u64, block, OFF_file_f_inode);
    w->inode = inode;
    fill_print(&e->after, inode);
    if (is_no_file(&e->after))
        return 0;
    e->head.flags |= HAS_AFTER;
    u32 asked = 0;
    if (class == CLASS_OPENAT)
        asked = GET(u32, registers, REG_2);
    else if (class == CLASS_OPEN)
        asked = GET(u32, registers, REG_1);
    else if (class == CLASS_CREAT)
        asked = O_CREAT | O_TRUNC;
    else if (class == CLASS_OPENAT2)
        bpf_probe_read_user(&asked, sizeof asked, (void *)GET(u64, registers, REG_2));
    e->open_flags = FROM(u32, block, OFF_file_f_flags) | (asked & (O_CREAT | O_TRUNC));
    w->dentry = FROM(u64, block, OFF_file_f_path + OFF_path_dentry);
    w->mount = FROM(u64, block, OFF_file_f_path + OFF_path_mnt) - OFF_mount_mnt;
    u32 intent = e->f_mode & (FMODE_READ | FMODE_WRITE | FMODE_CREATED);
    intent |= e->open_flags & (O_TRUNC | O_TMPFILE_BIT);
    if (e->open_flags & O_TRUNC)
        take_capture(w, e->head.tid, inode);
    if (is_told(w, intent) && !(intent & (FMODE_CREATED | O_TMPFILE_BIT)))
        return 0;
    return 1;
}

static __always_inline int mapped_file(struct work *w, u64 task, u64 registers) {
    struct event *e = &w->event;
    u32 protection = GET(u32, registers, REG_2), how = GET(u32, registers, REG_3);
    int is_shared = (how & 0xf) == 1 || (how & 0xf) == 3; /* MAP_SHARED, MAP_SHARED_VALIDATE */
    int is_code = protection & 4, is_writable = is_shared && protection & 2;
    if (how & 0x20 || !(is_code || is_writable)) /* MAP_ANONYMOUS */
        return 0;
    u64 file = file_of(task, GET(u32, registers, REG_4));
    if (!file)
        return 0;
    u64 inode = GET(u64, file, OFF_file_f_inode);
    w->inode = inode;
    fill_print(&e->after, inode);
    if (is_no_file(&e->after))
        return 0;
    e->head.flags |= HAS_AFTER | (is_code ? CODE : 0);
    e->open_flags = GET(u32, file, OFF_file_f_flags);
    at_path(w, file + OFF_file_f_path, 0);
    if (!is_writable)
        e->f_mode = FMODE_READ;
    return !is_told(w, 1 << 30 | (is_code ? 4 : 0) | (is_writable ? 2 : 0));
}

static __always_inline void name_base(struct work *w, u64 task, s32 directory, u64 name,
                                      int second) {
    char first = 0;
    bpf_probe_read_user(&first, 1, (void *)name);
    u64 fs = GET(u64, task, OFF_task_struct_fs);
    if (first == '/')
        at_path(w, fs + OFF_fs_struct_root, second);
    else if (directory == AT_FDCWD)
        at_path(w, fs + OFF_fs_struct_pwd, second);
    else
        at_path(w, file_of(task, directory) + OFF_file_f_path, second);
    w->names[second] = name;
}

/* What the call did to the inodes whose times it has set. For one that lost a name, `nlink` is what
 * it has now, or all ones when it is gone. */
static __always_inline void add_captured(struct work *w) {
    struct event *e = &w->event;
    u32 tid = e->head.tid;
    struct captured *c = captures.lookup(&tid);
    if (!c)
        return;
    if (c->count > 0) {
        u64 inode = c->inode[0];
        e->before = c->print[0];
        e->head.flags |= HAS_BEFORE;
        int is_there = GET(u64, inode, OFF_inode_i_ino) == e->before.ino;
        if (e->head.kind == TRUNCATE || e->head.kind == LINK) {
            fill_print(&e->after, inode);
            if (is_there)
                e->head.flags |= HAS_AFTER;
        } else {
            e->before.nlink = is_there ? GET(u32, inode, OFF_inode_i_nlink) : ~0u;
        }
    }
    if (c->count > 1) {
        u64 inode = c->inode[1];
        e->after = c->print[1];
        e->head.flags |= HAS_AFTER;
        int is_there = GET(u64, inode, OFF_inode_i_ino) == e->after.ino;
        e->after.nlink = is_there ? GET(u32, inode, OFF_inode_i_nlink) : ~0u;
    }
    captures.delete(&tid);
}

int on_open_exit(struct exit_context *ctx) {
    u64 id = bpf_get_current_pid_tgid();
    u32 tgid = id >> 32, nr = ctx->nr;
    u32 run = run_of(tgid);
    if (!run || ctx->ret < 0)
        return 0;
    u32 *class = classes.lookup(&nr);
    struct work *w = begin(OPEN, run);
    if (!class || !w)
        return 0;
    w->event.head.value = ctx->ret;
    u64 registers = task_registers(current_task_btf());
    if (opened_file(w, bpf_get_current_task(), registers, *class, ctx->ret))
        steps.call((void *)ctx, WALK);
    return 0;
}

int on_mmap_exit(struct exit_context *ctx) {
    u64 id = bpf_get_current_pid_tgid();
    u32 tgid = id >> 32;
    u32 run = run_of(tgid);
    if (!run || ((u64)ctx->ret) >> 63)
        return 0;
    struct work *w = begin(MAPPED, run);
    if (w && mapped_file(w, bpf_get_current_task(), task_registers(current_task_btf())))
        steps.call((void *)ctx, WALK);
    return 0;
}

int on_name_exit(struct exit_context *ctx) {
    u64 id = bpf_get_current_pid_tgid();
    u32 tgid = id >> 32, tid = id, nr = ctx->nr;
    u32 run = run_of(tgid);
    if (!run)
        return 0;
    u32 *class = classes.lookup(&nr);
    if (ctx->ret < 0 || !class) {
        captures.delete(&tid);
        return 0;
    }
    u64 task = bpf_get_current_task(), r = task_registers(current_task_btf());
    u32 kind = *class;
    struct work *w = begin(RENAME, run);
    if (!w)
        return 0;
    struct event *e = &w->event;
    u64 a = GET(u64, r, REG_0), b = GET(u64, r, REG_1), c = GET(u64, r, REG_2),
        d = GET(u64, r, REG_3);
    if (kind == CLASS_RENAME || kind == CLASS_LINK) {
        d = b;
        b = a;
        a = c = AT_FDCWD;
    }
    if (kind == CLASS_RENAME || kind == CLASS_RENAMEAT || kind == CLASS_LINK ||
        kind == CLASS_LINKAT) {
        int is_link = kind == CLASS_LINK || kind == CLASS_LINKAT;
        e->head.kind = is_link ? LINK : RENAME;
        e->head.value = kind == CLASS_RENAMEAT || kind == CLASS_LINKAT ? GET(u32, r, REG_4) : 0;
        name_base(w, task, a, b, 0);
        name_base(w, task, c, d, 1);
        if (w->dentry == w->next_dentry && w->mount == w->next_mount) {
            e->head.flags |= SAME_BASE;
            w->next_dentry = 0;
        }
    } else if (kind == CLASS_UNLINK || kind == CLASS_UNLINKAT) {
        e->head.kind = UNLINK;
        if (kind == CLASS_UNLINK)
            name_base(w, task, AT_FDCWD, a, 0);
        else
            name_base(w, task, a, b, 0);
        if (kind == CLASS_UNLINKAT)
            e->head.value = c & 0x200 ? 1 : 0; /* AT_REMOVEDIR */
    } else if (kind == CLASS_TRUNCATE) {
        e->head.kind = TRUNCATE;
        e->head.value = b;
        name_base(w, task, AT_FDCWD, a, 0);
    } else {
        e->head.kind = TRUNCATE;
        e->head.value = b;
        at_path(w, file_of(task, a) + OFF_file_f_path, 0);
    }
    add_captured(w);
    if (e->head.kind == UNLINK && e->head.value)
        return 0;
    steps.call((void *)ctx, WALK);
    return 0;
}

/* --- processes ------------------------------------------------------------------------------- */

/* The next process of that number is nobody's. */
static __always_inline void forget(u32 tgid) {
    u32 at = tgid & (SLOTS - 1);
    struct slot *slot = slots.lookup(&at);
    if (!slot || !slot->state)
        return;
    slot->state = SHARED;
    tracked.delete(&tgid);
}

int on_fork(struct bpf_raw_tracepoint_args *ctx) {
    u64 child = ctx->args[1];
    u32 parent_tgid = bpf_get_current_pid_tgid() >> 32;
    u32 tgid = GET(u32, child, OFF_task_struct_tgid);
    if (tgid == parent_tgid)
        return 0; /* a thread */
    struct traced *traced = run_of(parent_tgid) ? tracked.lookup(&parent_tgid) : 0;
    if (!traced) {
        /* Its number may have been a traced process's whose end was missed. */
        forget(tgid);
        return 0;
    }
    struct traced copy = *traced;
    if (tracked.update(&tgid, &copy))
        count_lost(copy.run);
    u32 at = tgid & (SLOTS - 1);
    struct slot *slot = slots.lookup(&at);
    if (slot && slot->state) {
        slot->state = SHARED;
    } else if (slot) {
        slot->tgid = tgid;
        slot->run = copy.run;
        slot->state = OWNED;
    }
    struct head head;
    fill_head(&head, FORK, copy.run);
    head.value = tgid;
    put(&head, sizeof head, copy.run);
    return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx) {
    u64 task = ctx->args[0];
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u32 run = run_of(tgid);
    if (!run)
        return 0;
    u64 group = GET(u64, task, OFF_task_struct_signal);
    if (GET(u32, group, OFF_signal_struct_live))
        return 0; /* other threads go on */
    struct head head;
    fill_head(&head, EXIT, run);
    u32 status = GET(u32, group, OFF_signal_struct_group_exit_code);
    head.value = status ? status : GET(u32, task, OFF_task_struct_exit_code);
    put(&head, sizeof head, head.run);
    forget(tgid);
    return 0;
}

int on_exec(struct bpf_raw_tracepoint_args *ctx) {
    u64 task = ctx->args[0], program = ctx->args[2];
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    struct traced *traced = run_of(tgid) ? tracked.lookup(&tgid) : 0;
    if (!traced)
        return 0;
    struct work *w = begin(EXEC, traced->run);
    if (!w)
        return 0;
    struct event *e = &w->event;
    u64 file = GET(u64, program, OFF_linux_binprm_file);
    fill_print(&e->after, GET(u64, file, OFF_file_f_inode));
    e->head.flags |= HAS_AFTER;
    at_path(w, file + OFF_file_f_path, 0);
    at_path(w, GET(u64, task, OFF_task_struct_fs) + OFF_fs_struct_pwd, 1);
    w->names[0] = GET(u64, program, OFF_linux_binprm_filename);
    u64 memory = GET(u64, task, OFF_task_struct_mm);
    w->names[1] = GET(u64, memory, OFF_mm_struct_arg_start);
    w->argv_end = GET(u64, memory, OFF_mm_struct_arg_end);
    if (GET(u8, program, OFF_linux_binprm_buf + 4) == 1) /* EI_CLASS, ELFCLASS32 */
        e->head.flags |= FOREIGN;
    u32 user = GET(u32, GET(u64, task, OFF_task_struct_cred), OFF_cred_euid);
    if (traced->uid && user != traced->uid) {
        e->head.flags |= PRIVILEGED;
        forget(tgid);
    }
    raw_steps.call((void *)ctx, WALK);
    return 0;
}

/* --- reading and writing --------------------------------------------------------------------- */

static __always_inline int tell_touch(int kind, u32 run, u64 inode, u32 nr, u32 flag) {
    struct touch touch = {};
    fill_print(&touch.print, inode);
    struct inode_key key = {touch.print.ino, touch.print.dev, touch.print.gen, run, 0};
    u32 known = 0, *flags = inodes.lookup(&key);
    if (flags)
        known = *flags;
    if (known & flag)
        return 0;
    fill_head(&touch.head, kind, run);
    touch.nr = nr;
    if (put(&touch, sizeof touch, run))
        return 1;
    known |= flag;
    inodes.update(&key, &known);
    return 0;
}

/* The usual answer, without filling a whole print. */
static __always_inline int is_touch_told(u64 inode, u32 run, u32 flag) {
    u64 super = GET(u64, inode, OFF_inode_i_sb);
    struct inode_key key = {GET(u64, inode, OFF_inode_i_ino),
                            GET(u32, super, OFF_super_block_s_dev),
                            GET(u32, inode, OFF_inode_i_generation), run, 0};
    u32 *flags = inodes.lookup(&key);
    return flags && *flags & flag;
}

static __always_inline int tell_read(u32 run, u64 inode) {
    if (!inode)
        return 0;
    struct recent *recent = recent_of(inode);
    if (!recent || (recent->inode == inode && recent->run == run))
        return 0;
    if ((GET(u16, inode, OFF_inode_i_mode) & S_IFMT) != S_IFREG)
        return 0;
    if (!is_touch_told(inode, run, SEEN_READ) && tell_touch(READ, run, inode, 0, SEEN_READ))
        return 0;
    recent->run = 0;
    recent->inode = inode;
    recent->run = run;
    return 0;
}

int on_pages(struct bpf_raw_tracepoint_args *ctx) {
    u32 run = run_of(bpf_get_current_pid_tgid() >> 32);
    if (!run)
        return 0;
    return tell_read(run, GET(u64, ctx->args[0], OFF_address_space_host));
}

int on_direct(struct bpf_raw_tracepoint_args *ctx) {
    u32 run = run_of(bpf_get_current_pid_tgid() >> 32);
    if (!run)
        return 0;
    u64 file = GET(u64, ctx->args[0], OFF_kiocb_ki_filp);
    return tell_read(run, GET(u64, file, OFF_file_f_inode));
}

int on_ctime(struct bpf_raw_tracepoint_args *ctx) {
    u64 id = bpf_get_current_pid_tgid();
    u32 tgid = id >> 32, tid = id;
    u32 run = run_of(tgid);
    if (!run)
        return 0;
    u64 inode = ctx->args[0];
    u32 type = GET(u16, inode, OFF_inode_i_mode) & S_IFMT;
    if (type == S_IFDIR)
        return 0;
    u32 nr = call_number(task_registers(current_task_btf()));
    u32 *class = classes.lookup(&nr); /* none: a page fault, or a worker of the kernel */
    if (class && *class == CLASS_ATTRIBUTES)
        return 0;
    if (!class || *class == CLASS_OTHER || *class == CLASS_MMAP) {
        if (type != S_IFREG || is_touch_told(inode, run, SEEN_WRITTEN))
            return 0;
        return tell_touch(WRITTEN, run, inode, nr, SEEN_WRITTEN);
    }
    int zero = 0;
    struct captured *c = captures.lookup(&tid);
    if (!c) {
        struct captured *blank = blanks.lookup(&zero);
        if (!blank)
            return 0;
        captures.update(&tid, blank);
        c = captures.lookup(&tid);
        if (!c)
            return 0;
    }
    /* One call sets the times of an inode more than once; the first tells what was before. */
    if (c->count == 0 || (c->count == 1 && c->inode[0] != inode)) {
        u32 at = c->count & 1;
        c->inode[at] = inode;
        fill_print(&c->print[at], inode);
        c->count = at + 1;
    }
    return 0;
}

int on_io_uring(struct bpf_raw_tracepoint_args *ctx) {
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u32 run = run_of(tgid);
    if (!run)
        return 0;
    u32 operation = GET(u8, ctx->args[0], OFF_io_kiocb_opcode);
    /* io_uring.h: OPENAT, OPENAT2, RENAMEAT, UNLINKAT, LINKAT; FTRUNCATE has a descriptor. */
    if (operation != 18 && operation != 28 && operation != 35 && operation != 36 &&
        operation != 39 && operation != 55)
        return 0;
    struct head head;
    fill_head(&head, IO_URING, run);
    head.value = operation;
    put(&head, sizeof head, head.run);
    return 0;
}
