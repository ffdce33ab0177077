#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status;
} policy[ERR_N_CODES] = {
	[ERR_NONE] = {"none", 0},
	[ERR_BLOCKED] = {"blocked", 3},
	[ERR_CANCELLED] = {"cancelled", 1},
	[ERR_CONFLICT] = {"conflict", 1},
	[ERR_DENIED] = {"denied", 1},
	[ERR_FAILED] = {"failed", 1},
	[ERR_LIMIT] = {"limit", 1},
	[ERR_LOCKED] = {"locked", 5},
	[ERR_NOT_FOUND] = {"not-found", 1},
	[ERR_OUT_OF_SEQUENCE] = {"out-of-sequence", 1},
	[ERR_PROTOCOL] = {"protocol", 1},
	[ERR_SPEC] = {"spec", 4},
	[ERR_SUSPENDED] = {"suspended", 3},
	[ERR_SYSTEM] = {"system", 1},
	[ERR_TIMEOUT] = {"timeout", 3},
	[ERR_UNHEALTHY] = {"unhealthy", 1},
	[ERR_UNREACHABLE] = {"unreachable", 3},
	[ERR_UNSUPPORTED] = {"unsupported", 1},
	[ERR_USAGE] = {"usage", 64},
};

/* Messages are UTF-8; a cut inside a character would make the output invalid. */
static void cut_at_character(char *s, size_t len)
{
	while (len > 0 && ((unsigned char)s[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && ((unsigned char)s[len - 1] & 0x80))
		len--;
	s[len] = '\0';
}

__attribute__((format(printf, 3, 0))) static void format(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);
	if (n < 0)
		buf[0] = '\0';
	else if ((size_t)n >= size)
		cut_at_character(buf, size - 1);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->code = code;
	err->sys = 0;
	va_start(ap, fmt);
	format(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -1;
}

static enum err_code code_of_errno(int e)
{
	switch (e) {
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOENT:
		return ERR_NOT_FOUND;
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return ERR_UNREACHABLE;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_SYSTEM;
	}
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	err->code = code_of_errno(saved);
	err->sys = saved;
	va_start(ap, fmt);
	format(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(saved));
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[ERR_MSG_MAX];
	size_t len;
	va_list ap;

	if (!err)
		return -1;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	format(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	int n = snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", inner);
	if (n > 0 && len + (size_t)n >= sizeof(err->msg))
		cut_at_character(err->msg, sizeof(err->msg) - 1);
	return -1;
}

const char *err_code_name(enum err_code code)
{
	return policy[code].name;
}

int err_exit_status(enum err_code code)
{
	return policy[code].exit_status;
}
