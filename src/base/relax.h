/* relax.h - told to the processor between two looks at a word that others change. */
#ifndef ILI_BASE_RELAX_H
#define ILI_BASE_RELAX_H

static inline void ili_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
