/* Which of the variants that were built this processor runs, and what the library was built from. */
#ifndef SOURCES
#error "build.py names the digest of the sources"
#endif

const char *modelprov_sources(void) { return SOURCES; }

const char *modelprov_variant(void) {
#if defined(HAS_avx512) || defined(HAS_avx2)
    __builtin_cpu_init();
#endif
#ifdef HAS_avx512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return "avx512";
#endif
#ifdef HAS_avx2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
#ifdef HAS_neon
    return "neon";
#endif
    return "";
}
