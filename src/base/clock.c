/* SPDX-License-Identifier: Apache-2.0
 * Clock reading and RFC 3339 text. */
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_SECOND INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_now(void) { return read_clock(CLOCK_REALTIME); }
int64_t clock_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }

/* A page of devices has hundreds of times: printf would take a tenth of it. */
static char *put_digits(char *p, int v, int n, char after)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	p[n] = after;
	return p + n + 1;
}

char *time_format(int64_t us, char out[TIME_TEXT])
{
	int64_t sec = us / SECOND_US, frac = us % SECOND_US;
	if (frac < 0) {
		frac += SECOND_US;
		sec--;
	}
	time_t t = (time_t)sec;
	struct tm tm;
	gmtime_r(&t, &tm);
	char *p = put_digits(out, abs(tm.tm_year + 1900) % 10000, 4, '-');
	p = put_digits(p, tm.tm_mon + 1, 2, '-');
	p = put_digits(p, tm.tm_mday, 2, 'T');
	p = put_digits(p, tm.tm_hour, 2, ':');
	p = put_digits(p, tm.tm_min, 2, ':');
	p = put_digits(p, tm.tm_sec, 2, frac != 0 ? '.' : 'Z');
	if (frac != 0)
		p = put_digits(p, (int)frac, 6, 'Z');
	*p = '\0';
	return out;
}

static bool digits(const char **s, int n, int *ret)
{
	int v = 0;
	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return true;
}

static bool sep(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* RFC 3339 allows the letters T and Z in lower case. */
static bool letter(const char **s, char c)
{
	return sep(s, c) || sep(s, (char)(c | 0x20));
}

static bool parse_offset(const char **s, int *ret_minutes)
{
	int h, m, sign = **s == '-' ? -1 : 1;
	if (letter(s, 'Z')) {
		*ret_minutes = 0;
		return true;
	}
	if (**s != '+' && **s != '-')
		return false;
	(*s)++;
	if (!digits(s, 2, &h) || !sep(s, ':') || !digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_minutes = sign * (h * 60 + m);
	return true;
}

static bool parse_time_of_day(const char **s, struct tm *tm, int64_t *ret_frac, int *ret_offset)
{
	if (!letter(s, 'T') || !digits(s, 2, &tm->tm_hour) || !sep(s, ':') || !digits(s, 2, &tm->tm_min))
		return false;
	if (**s == ':' && (!sep(s, ':') || !digits(s, 2, &tm->tm_sec)))
		return false;
	if (**s == '.') {
		(*s)++;
		int64_t unit = 100000;
		if (**s < '0' || **s > '9')
			return false;
		for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
			*ret_frac += (**s - '0') * unit;
	}
	return tm->tm_hour <= 23 && tm->tm_min <= 59 && tm->tm_sec <= 60 && parse_offset(s, ret_offset);
}

bool time_parse(const char *s, int64_t *ret_us)
{
	struct tm tm = {0};
	int64_t frac = 0;
	int offset = 0;
	if (s == NULL || !digits(&s, 4, &tm.tm_year) || !sep(&s, '-') || !digits(&s, 2, &tm.tm_mon) || !sep(&s, '-') ||
	    !digits(&s, 2, &tm.tm_mday))
		return false;
	if (tm.tm_year < 1 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31)
		return false;
	if (*s != '\0' && !parse_time_of_day(&s, &tm, &frac, &offset))
		return false;
	if (*s != '\0')
		return false;
	int mday = tm.tm_mday, leap = tm.tm_sec == 60;
	tm.tm_sec -= leap; /* a leap second is the second before it, one later */
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t t = (int64_t)timegm(&tm) + leap - offset * 60;
	if (tm.tm_mday != mday || t < FIRST_SECOND || t > LAST_SECOND) /* 31 February */
		return false;
	*ret_us = t * SECOND_US + frac;
	return true;
}

/* ---- calendar ---- */

static struct tm civil(int64_t us)
{
	int64_t sec = us / SECOND_US - (us % SECOND_US < 0);
	time_t t = (time_t)sec;
	struct tm tm;
	gmtime_r(&t, &tm);
	return tm;
}

static int64_t within_years(int64_t us)
{
	if (us < FIRST_SECOND * SECOND_US)
		return FIRST_SECOND * SECOND_US;
	return us > LAST_SECOND * SECOND_US ? LAST_SECOND * SECOND_US : us;
}

static int days_of_month(int year, int month)
{
	struct tm last = {.tm_year = year, .tm_mon = month + 1, .tm_mday = 0}; /* the day before the next month's first */
	timegm(&last);
	return last.tm_mday;
}

int64_t time_add_months(int64_t us, int n)
{
	struct tm tm = civil(us);
	int64_t frac = ((us % SECOND_US) + SECOND_US) % SECOND_US, months = (int64_t)tm.tm_year * 12 + tm.tm_mon + n;
	if (months < -1900 * 12 || months > 8100 * 12) /* what is cut anyway must not overflow first */
		return within_years(months < 0 ? INT64_MIN : INT64_MAX);
	tm.tm_year = (int)(months / 12 - (months % 12 < 0));
	tm.tm_mon = (int)(months - (int64_t)tm.tm_year * 12);
	int last = days_of_month(tm.tm_year, tm.tm_mon);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	return within_years((int64_t)timegm(&tm) * SECOND_US + frac);
}

int64_t time_add_workdays(int64_t us, int n)
{
	int day = civil(us).tm_wday, days = 0;
	while (n > 0) {
		days++;
		day = (day + 1) % 7;
		n -= day != 0 && day != 6;
	}
	return within_years(us + days * DAY_US);
}

int64_t time_end_of_day(int64_t us)
{
	struct tm tm = civil(us);
	tm.tm_hour = 23;
	tm.tm_min = tm.tm_sec = 59;
	return within_years((int64_t)timegm(&tm) * SECOND_US);
}
