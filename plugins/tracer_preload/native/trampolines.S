/*
 * Functions that must not see a frame of ours on the stack.
 *
 * dlopen, dlmopen and syscall are entered with the arguments and the return address they were called
 * with; a C function says where to jump. vfork's child returns from vfork and goes on using the stack
 * below, so the return address lives in a register until both have returned.
 */
#if defined(__x86_64__)

    .macro ROUTE name, chooser
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    push %rdi
    .cfi_adjust_cfa_offset 8
    push %rsi
    .cfi_adjust_cfa_offset 8
    push %rdx
    .cfi_adjust_cfa_offset 8
    push %rcx
    .cfi_adjust_cfa_offset 8
    push %r8
    .cfi_adjust_cfa_offset 8
    push %r9
    .cfi_adjust_cfa_offset 8
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    call \chooser
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    pop %r9
    .cfi_adjust_cfa_offset -8
    pop %r8
    .cfi_adjust_cfa_offset -8
    pop %rcx
    .cfi_adjust_cfa_offset -8
    pop %rdx
    .cfi_adjust_cfa_offset -8
    pop %rsi
    .cfi_adjust_cfa_offset -8
    pop %rdi
    .cfi_adjust_cfa_offset -8
    jmp *%rax
    .cfi_endproc
    .size \name, . - \name
    .endm

    .text
    ROUTE dlopen, roar_route_dlopen
    ROUTE dlmopen, roar_route_dlmopen
    ROUTE syscall, roar_route_syscall

    .globl vfork, __vfork
    .type vfork, @function
    .type __vfork, @function
vfork:
__vfork:
    sub $8, %rsp
    call roar_before_vfork
    add $8, %rsp
    pop %rdi
    mov $58, %eax /* vfork; the kernel keeps rdi */
    syscall
    push %rdi
    test %rax, %rax
    jz roar_in_vfork_child
    mov %rax, %rdi
    jmp roar_vfork_returns
    .size vfork, . - vfork

#elif defined(__aarch64__)

    .macro ROUTE name, chooser
    .globl \name
    .type \name, %function
\name:
    .cfi_startproc
    stp x29, x30, [sp, #-80]!
    .cfi_adjust_cfa_offset 80
    .cfi_offset x29, -80
    .cfi_offset x30, -72
    stp x0, x1, [sp, #16]
    stp x2, x3, [sp, #32]
    stp x4, x5, [sp, #48]
    stp x6, x7, [sp, #64]
    bl \chooser
    mov x16, x0
    ldp x0, x1, [sp, #16]
    ldp x2, x3, [sp, #32]
    ldp x4, x5, [sp, #48]
    ldp x6, x7, [sp, #64]
    ldp x29, x30, [sp], #80
    .cfi_adjust_cfa_offset -80
    br x16
    .cfi_endproc
    .size \name, . - \name
    .endm

    .text
    ROUTE dlopen, roar_route_dlopen
    ROUTE dlmopen, roar_route_dlmopen
    ROUTE syscall, roar_route_syscall

    .globl vfork, __vfork
    .type vfork, %function
    .type __vfork, %function
vfork:
__vfork:
    stp x29, x30, [sp, #-16]!
    bl roar_before_vfork
    ldp x29, x30, [sp], #16
    mov x0, #0x4111 /* CLONE_VM | CLONE_VFORK | SIGCHLD: this machine has no vfork of its own */
    mov x1, #0
    mov x2, #0
    mov x3, #0
    mov x4, #0
    mov x8, #220 /* clone; the kernel keeps x30 */
    svc #0
    cbz x0, 1f
    b roar_vfork_returns
1:  b roar_in_vfork_child
    .size vfork, . - vfork

#endif
    .section .note.GNU-stack, "", %progbits
