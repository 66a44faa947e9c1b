"""The calendar: units of time around a day and away from it, and days in words."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta


def listed(line: str) -> list[str]:
    return line.split()


MONTHS = listed(
    "January February March April May June July August September October November December"
)

DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

SHORT_MONTHS = [*(name[:3] for name in MONTHS), "Sept"]

SHORT_DAYS = listed("Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun")

SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # its first month

NO_CALENDAR = "outside the calendar"


def day_or_none(year: int, month: int, day: int) -> date | None:
    """That day, or None where the calendar has none."""
    if 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]:
        return date(year, month, day)
    return None


def month_of(word: str) -> int:
    return [name[:3] for name in MONTHS].index(word[:3].title()) + 1


def months_on(day: date, months: int) -> date:
    """The same day of another month, or that month's last: 31 January + 1 month is 28 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(NO_CALENDAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def shifted(day: date, n: int, unit: str) -> date:
    """`n` units on (back when negative). Raises OverflowError outside the years 1 to 9999."""
    if unit == "working day":
        if day.weekday() > 4:  # counting starts at the Friday before, or back from the Monday after
            day += timedelta(4 - day.weekday() if n > 0 else 7 - day.weekday())
        weeks, rest = divmod(abs(n), 5)
        step = 1 if n > 0 else -1
        day += timedelta(weeks * 7 * step)
        while rest:
            day += timedelta(step)
            rest -= day.weekday() < 5
        return day
    if unit == "hour":
        return day + timedelta(-(-abs(n) // 24) * (1 if n > 0 else -1))
    if unit in ("day", "week", "fortnight"):
        return day + timedelta(n * {"day": 1, "week": 7, "fortnight": 14}[unit])
    return months_on(day, n * {"month": 1, "quarter": 3, "year": 12, "decade": 120}[unit])


def unit_around(day: date, unit: str) -> tuple[date, date, str]:
    """The calendar unit that holds `day`: first, last, precision."""
    if unit in ("hour", "day"):
        return day, day, "day"
    if unit in ("week", "fortnight"):
        monday = day - timedelta(day.weekday())
        return monday, monday + timedelta(6), "day"
    if unit == "decade":
        return date(day.year // 10 * 10 or 1, 1, 1), date(day.year // 10 * 10 + 9, 12, 31), "year"
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    last = date(
        day.year, first.month + months - 1, monthrange(day.year, first.month + months - 1)[1]
    )
    return first, last, unit


def season_span(year: int, name: str) -> tuple[date, date]:
    """The season that begins in `year`."""
    first = date(year, SEASONS[name], 1)
    return first, months_on(first, 3) - timedelta(1)


def day_in_words(day: date) -> str:
    return f"{DAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def number_of_day(word: str) -> int:
    return 4 if word.lower() == "fourth" else int(re.sub(r"\D", "", word))


def weekday_of(word: str) -> int:
    return [name[:3] for name in DAYS].index(word[:3].title())


def describe(first: date, last: date, precision: str) -> str:
    """The span in words: "6 March 2026", "July 2025", "the third quarter of 2025", "2020",
    "the 1990s", and otherwise its ends: "2 to 8 February 2026", "March to May 2026"."""
    if precision == "year":
        if first.year % 10 == 0 and last.year == first.year + 9:
            return f"the {first.year}s"
        return f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
    if precision == "quarter" and unit_around(first, "quarter")[:2] == (first, last):
        return f"the {('first', 'second', 'third', 'fourth')[first.month // 3]} quarter of {first.year}"
    ends = []
    for day in (first, last):
        parts = [] if precision in ("month", "quarter") else [str(day.day)]
        ends.append([*parts, MONTHS[day.month - 1], str(day.year)])
    if ends[0] == ends[1]:
        return " ".join(ends[0])
    opening = list(ends[0])
    for part in ends[1][::-1]:  # what both ends share is said once
        if opening[-1] != part or len(opening) == 1:
            break
        opening.pop()
    return f"{' '.join(opening)} to {' '.join(ends[1])}"


def iso(first: date, precision: str) -> str:
    """ISO 8601: "2026-03-06", reduced for a month "2025-07" and a year "2020"; a quarter, for which
    ISO has no form, is the interval of its months, "2025-07/2025-09"."""
    if precision == "year":
        return f"{first.year:04}"
    if precision == "month":
        return f"{first:%Y-%m}"
    if precision == "quarter":
        return f"{first:%Y-%m}/{months_on(first, 2):%Y-%m}"
    return first.isoformat()
