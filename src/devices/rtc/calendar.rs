//! Seconds and dates (the proleptic Gregorian calendar).

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year, as in 2026.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Date {
    /// The date `seconds` after the beginning of 1970.
    #[must_use]
    pub fn of_seconds(seconds: i64) -> Date {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Years begin in March here, so that the leap day is their last.
        let days = days + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let small = |value: i64| u8::try_from(value).unwrap_or(0);
        Date {
            year: era * 400 + year + later,
            month: small(month),
            day: small(day),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }

    /// Seconds since the beginning of 1970. A day or month that does not exist counts on from one that does.
    #[must_use]
    pub fn seconds(self) -> i64 {
        let month = i64::from(self.month);
        let (year, month) =
            if month > 2 { (self.year, month - 3) } else { (self.year - 1, month + 9) };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let day = of_era * 365 + of_era / 4 - of_era / 100 + day;
        let days = era * 146_097 + day - 719_468;
        let of_day =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        days * DAY + of_day
    }

    /// The day of the week: 1 is Sunday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        let days = self.seconds().div_euclid(DAY);
        u8::try_from((days + 4).rem_euclid(7) + 1).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_seconds_agree() {
        let known = [
            (0, (1970, 1, 1), 5),
            (951_782_400, (2000, 2, 29), 3),
            (4_107_542_400, (2100, 3, 1), 2),
            (1_767_225_600, (2026, 1, 1), 5),
        ];
        for (seconds, (year, month, day), weekday) in known {
            let date = Date::of_seconds(seconds);
            assert_eq!((date.year, date.month, date.day), (year, month, day));
            assert_eq!((date.seconds(), date.weekday()), (seconds, weekday));
        }
        for days in -200_000..200_000 {
            let seconds = days * DAY + days.rem_euclid(DAY);
            assert_eq!(Date::of_seconds(seconds).seconds(), seconds);
        }
    }
}
