/* SPDX-License-Identifier: MIT */
/* Where the guests of test_engine.c find things; for C and assembly. */
#ifndef LAB_ENGINE_GUESTS_H
#define LAB_ENGINE_GUESTS_H

#define ENGINE_CODE 0x1000
#define ENGINE_AP 0x2000
#define ENGINE_HANDLER 0x3000
#define ENGINE_STACK 0x7000
#define ENGINE_DATA 0x8000
#define ENGINE_ROM 0x100000
#define ENGINE_MMIO 0xd0000000
#define ENGINE_BELL (ENGINE_MMIO + 0x10)
#define ENGINE_RINGS 20000
#define ENGINE_MSR 0x12345

#define ENGINE_HANDLER_NMI 0
#define ENGINE_HANDLER_UD 0x20
#define ENGINE_HANDLER_GP 0x40
#define ENGINE_HANDLER_IRQ 0x60

#ifndef __ASSEMBLER__

#define ENGINE_GUEST(name) extern const unsigned char name[], name##_end[]

ENGINE_GUEST(guest_pio);
ENGINE_GUEST(guest_string_pio);
ENGINE_GUEST(guest_mmio16);
ENGINE_GUEST(guest_mmio64);
ENGINE_GUEST(guest_doorbell);
ENGINE_GUEST(guest_ringing);
ENGINE_GUEST(guest_rom);
ENGINE_GUEST(guest_loop);
ENGINE_GUEST(guest_hlt);
ENGINE_GUEST(guest_msr);
ENGINE_GUEST(guest_vmcall);
ENGINE_GUEST(guest_vmmcall);
ENGINE_GUEST(guest_registers);
ENGINE_GUEST(guest_fault);
ENGINE_GUEST(guest_count);
ENGINE_GUEST(guest_tsc);
ENGINE_GUEST(guest_irq);
ENGINE_GUEST(guest_boot);
ENGINE_GUEST(guest_ap);
ENGINE_GUEST(guest_handlers);

#endif
#endif
