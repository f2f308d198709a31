/*
 * Makes filters with libseccomp, for the test that compares ours with them.
 * Reads profiles from standard input, a word at a time, and writes for each a
 * line: "ok" and the program in hexadecimal, or "error" and the errno.
 *
 *   profile DEFAULT NARCHS ARCH... NRULES { ACTION NAME NCONDS { ARG OP A B } }
 *
 * "number ARCH NAME" asks for a syscall's number instead.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

static unsigned long long number(void)
{
	unsigned long long n;
	if (scanf("%lli", (long long *)&n) != 1)
		exit(2);
	return n;
}

int main(void)
{
	char word[256];
	while (scanf("%255s", word) == 1) {
		int rc = 0;
		if (!strcmp(word, "number")) {
			uint32_t arch = (uint32_t)number();
			if (scanf("%255s", word) != 1)
				return 2;
			printf("%d\n", seccomp_syscall_resolve_name_arch(arch, word));
			fflush(stdout);
			continue;
		}
		scmp_filter_ctx ctx = seccomp_init((uint32_t)number());
		if (!ctx)
			return 2;
		seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
		for (unsigned long long n = number(); n; n--) {
			int r = seccomp_arch_add(ctx, (uint32_t)number());
			if (r < 0 && r != -EEXIST && !rc)
				rc = r;
		}
		for (unsigned long long n = number(); n; n--) {
			struct scmp_arg_cmp args[6];
			uint32_t action = (uint32_t)number();
			if (scanf("%255s", word) != 1)
				return 2;
			unsigned conds = (unsigned)number();
			for (unsigned i = 0; i < conds; i++) {
				args[i].arg = (unsigned)number();
				args[i].op = (enum scmp_compare)number();
				args[i].datum_a = number();
				args[i].datum_b = number();
			}
			int nr = seccomp_syscall_resolve_name(word);
			if (nr == __NR_SCMP_ERROR)
				continue;
			int r = seccomp_rule_add_array(ctx, action, nr, conds, args);
			if (r < 0 && !rc)
				rc = r;
		}
		int fd = memfd_create("filter", 0);
		if (!rc)
			rc = seccomp_export_bpf(ctx, fd);
		if (rc) {
			printf("error %d\n", -rc);
		} else {
			unsigned char b[8];
			printf("ok ");
			lseek(fd, 0, SEEK_SET);
			while (read(fd, b, 8) == 8)
				for (int i = 0; i < 8; i++)
					printf("%02x", b[i]);
			printf("\n");
		}
		fflush(stdout);
		close(fd);
		seccomp_release(ctx);
	}
	return 0;
}
