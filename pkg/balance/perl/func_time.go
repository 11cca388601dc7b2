package perl

import (
	"fmt"
	"strings"
	"time"
)

// moment is an instant in the zone that it is to be told in.
type moment struct {
	t      time.Time
	beyond bool // of what perl tells: the year has more than 31 bits
}

// when compiles the argument of localtime and gmtime.
func (c *compiler) when(n *node) func(*machine) moment {
	utc := n.name == "gmtime"
	arg := func(m *machine) Value { return Int(m.opt.Now.Unix()) }
	if len(n.kids) > 0 {
		arg = c.scalar(n.kids[0])
	}
	return func(m *machine) moment {
		v := arg(m)
		f := v.nv()
		sec := v.iv()
		if v.k == kNV || v.k == kPV { // -0.5 is second -1
			if float64(sec) > f {
				sec--
			}
		}
		zone := m.opt.Zone
		if utc {
			zone = time.UTC
		}
		return moment{time.Unix(sec, 0).In(zone), !(f >= -67768100567755200 && f <= 67767976233316800)}
	}
}

func (m *machine) pushTime(w moment) {
	if w.beyond {
		return
	}
	t := w.t
	hour, minute, sec := t.Clock()
	year, month, day := t.Date()
	dst := int64(0)
	if t.IsDST() {
		dst = 1
	}
	m.stack = append(m.stack, Int(int64(sec)), Int(int64(minute)), Int(int64(hour)), Int(int64(day)), Int(int64(month)-1),
		Int(int64(year)-1900), Int(int64(t.Weekday())), Int(int64(t.YearDay())-1), Int(dst))
}

func (m *machine) timeText(w moment) Value {
	if w.beyond {
		return Value{}
	}
	t := w.t
	return String(fmt.Sprintf("%s %s %2d %02d:%02d:%02d %d", t.Weekday().String()[:3], t.Month().String()[:3], t.Day(), t.Hour(), t.Minute(), t.Second(), t.Year()))
}

// formatTime is POSIX::strftime in the C locale.
func formatTime(m *machine, at site, a []Value) Value {
	f := [6]int{}
	for i := range f {
		f[i] = int(min(max(a[i+1].iv(), -1<<30), 1<<30))
	}
	t := time.Date(f[5]+1900, time.Month(f[4]+1), f[3], f[2], f[1], f[0], 0, time.UTC)
	local := time.Date(f[5]+1900, time.Month(f[4]+1), f[3], f[2], f[1], f[0], 0, m.opt.Zone)
	var b strings.Builder
	format := a[0].str()
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		b.WriteString(timeField(format[i], t, local))
		if b.Len() > m.maxBytes {
			m.exceed("bytes", m.maxBytes)
		}
	}
	return m.text(b.String())
}

func timeField(c byte, t, local time.Time) string {
	two := func(n int) string { return fmt.Sprintf("%02d", n) }
	hour12 := (t.Hour()+11)%12 + 1
	isoYear, isoWeek := t.ISOWeek()
	weekday, yday := int(t.Weekday()), t.YearDay()-1
	switch c {
	case 'Y':
		return fmt.Sprint(t.Year())
	case 'C':
		return two(t.Year() / 100)
	case 'y':
		return two(t.Year() % 100)
	case 'G':
		return fmt.Sprint(isoYear)
	case 'g':
		return two(isoYear % 100)
	case 'V':
		return two(isoWeek)
	case 'U':
		return two((yday + 7 - weekday) / 7)
	case 'W':
		return two((yday + 7 - (weekday+6)%7) / 7)
	case 'm':
		return two(int(t.Month()))
	case 'd':
		return two(t.Day())
	case 'e':
		return fmt.Sprintf("%2d", t.Day())
	case 'H':
		return two(t.Hour())
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'I':
		return two(hour12)
	case 'l':
		return fmt.Sprintf("%2d", hour12)
	case 'M':
		return two(t.Minute())
	case 'S':
		return two(t.Second())
	case 'p':
		return t.Format("PM")
	case 'P':
		return t.Format("pm")
	case 'j':
		return fmt.Sprintf("%03d", yday+1)
	case 'a':
		return t.Weekday().String()[:3]
	case 'A':
		return t.Weekday().String()
	case 'b', 'h':
		return t.Month().String()[:3]
	case 'B':
		return t.Month().String()
	case 'u':
		return fmt.Sprint((weekday+6)%7 + 1)
	case 'w':
		return fmt.Sprint(weekday)
	case 's':
		return fmt.Sprint(local.Unix())
	case 'z':
		return local.Format("-0700")
	case 'Z':
		return local.Format("MST")
	case 'F':
		return t.Format("2006-01-02")
	case 'T', 'X':
		return t.Format("15:04:05")
	case 'R':
		return t.Format("15:04")
	case 'r':
		return t.Format("03:04:05 PM")
	case 'D', 'x':
		return t.Format("01/02/06")
	case 'c':
		return t.Format("Mon Jan _2 15:04:05 2006")
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case '%':
		return "%"
	}
	return "%" + string(c)
}
