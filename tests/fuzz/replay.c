/*
 * Runs a fuzz target on files, and on the files of directories: a corpus as a
 * test, with any compiler. Linked with one *_fuzz.c.
 */
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	_cleanup_str_ struct str bytes = {0};
	char buf[65536];
	FILE *f = fopen(path, "rbe");

	if (!f) {
		perror(path);
		return -1;
	}
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		str_add(&bytes, buf, n);
	int failed = ferror(f) ? -1 : 0;
	fclose(f);
	if (failed)
		fprintf(stderr, "%s: cannot be read\n", path);
	else
		LLVMFuzzerTestOneInput((const uint8_t *)str_cstr(&bytes), bytes.len);
	return failed;
}

/* Returns how many files ran, -1 when one could not be read. */
static int run_path(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int total = 0;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return run_file(path) < 0 ? -1 : 1;
	int n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.' && total >= 0) {
			_cleanup_free_ char *child = xasprintf("%s/%s", path, entries[i]->d_name);
			int ran = run_path(child);
			total = ran < 0 ? -1 : total + ran;
		}
		free(entries[i]);
	}
	free(entries);
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int ran = run_path(argv[i]);
		if (ran < 0)
			return 1;
		total += ran;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
