/* SPDX-License-Identifier: MIT */
#ifndef LIB_LOG_H
#define LIB_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/**
 * Set the program's name and the least level written; before the first line.
 *
 * Lines are JSON objects on stderr, one write each: ts, level, program, event and the given fields.
 */
void log_open(const char *program, enum log_level least);

/**
 * One line.
 *
 * @event  snake_case name of what happened
 * @fmt    logfmt-like list of `key=%s` pairs separated by blanks; each value becomes a JSON string.
 * NULL for none. Never secrets, never bodies.
 */
void log_line(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(event, ...) log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  log_line(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
