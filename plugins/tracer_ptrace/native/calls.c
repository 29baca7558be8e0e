#include "calls.h"

#include <linux/audit.h>

const struct call_row call_rows[CALLS] = {
    {"", {-1, -1, -1}, WHEN_ALWAYS},
#define CALL(name, x86_64, i386, aarch64, when) {#name, {x86_64, i386, aarch64}, WHEN_##when},
#include "calls.def"
#undef CALL
};

static const uint32_t audits[ABIS] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};

uint32_t abi_audit(enum abi abi) {
    return audits[abi];
}

enum abi abi_of_audit(uint32_t arch) {
    for (int abi = 0; abi < ABIS; abi++)
        if (audits[abi] == arch)
            return (enum abi)abi;
    return ABI_UNKNOWN;
}

#define NUMBERS 512

enum call call_of(enum abi abi, int number) {
    /* Filled by whoever comes first: every thread would write the same. */
    static uint8_t calls[ABIS][NUMBERS];
    static int filled;
    if (abi >= ABIS || number < 0 || number >= NUMBERS)
        return CALL_NONE;
    if (!__atomic_load_n(&filled, __ATOMIC_ACQUIRE)) {
        for (int call = 1; call < CALLS; call++)
            for (int each = 0; each < ABIS; each++)
                if (call_rows[call].number[each] >= 0)
                    calls[each][call_rows[call].number[each]] = (uint8_t)call;
        __atomic_store_n(&filled, 1, __ATOMIC_RELEASE);
    }
    return (enum call)calls[abi][number];
}
