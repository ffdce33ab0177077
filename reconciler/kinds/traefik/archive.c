#include "kinds/traefik/archive.h"

#include "base/mem.h"

#include <string.h>

#define BLOCK 512
/* Offsets and lengths of the header's fields: POSIX.1-1988 ustar. */
#define SIZE_AT 124
#define MTIME_AT 136
#define NUMBER_LEN 12
#define TYPE_AT 156
#define MAGIC_AT 257

/* Octal digits, or base 256 when the first bit is set. -1: neither. */
static int64_t number(const char *field)
{
	int64_t v = 0;

	if (*field & 0x80) {
		for (size_t i = NUMBER_LEN - 7; i < NUMBER_LEN; i++)
			v = v << 8 | (unsigned char)field[i];
		return v;
	}
	for (size_t i = 0; i < NUMBER_LEN && field[i] && field[i] != ' '; i++) {
		if (field[i] < '0' || field[i] > '7')
			return -1;
		v = v * 8 + (field[i] - '0');
	}
	return v;
}

static const struct {
	char type;
	const char *what;
} others[] = {
	{'1', "a hard link"}, {'2', "a symbolic link; mount the file itself"},
	{'3', "a device"},    {'4', "a device"},
	{'5', "a directory"}, {'6', "a pipe"},
};

static int wrong_type(char type, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].type == type)
			return err_set(err, ERR_FAILED, "it is %s", others[i].what);
	return err_set(err, ERR_PROTOCOL, "the archive holds a member of unknown type 0x%02x", (unsigned char)type);
}

int archive_read(const char *tar, size_t n, struct archive_file *out, struct err *err)
{
	for (size_t at = 0; at + BLOCK <= n;) {
		const char *h = tar + at;
		int64_t size = number(h + SIZE_AT);
		char type = h[TYPE_AT];
		if (memcmp(h + MAGIC_AT, "ustar", 5) != 0 || size < 0 || (uint64_t)size > n - at - BLOCK)
			return err_set(err, ERR_PROTOCOL, "the archive is damaged");
		if (type == '0' || type == '\0') {
			*out = (struct archive_file){h + BLOCK, (size_t)size, number(h + MTIME_AT)};
			return 0;
		}
		if (type != 'x' && type != 'g' && type != 'L')
			return wrong_type(type, err);
		at += BLOCK + ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return err_set(err, ERR_PROTOCOL, "the archive is empty");
}
