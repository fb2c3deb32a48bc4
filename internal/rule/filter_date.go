package rule

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// dateToken is a part of a form in which people write dates, with Go's form for it.
type dateToken struct{ token, layout string }

// dateTokens are those that people know from spreadsheets and the common date libraries, the longer ones first.
var dateTokens = []dateToken{
	{"YYYY", "2006"}, {"YY", "06"}, {"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"},
	{"DD", "02"}, {"D", "2"}, {"dddd", "Monday"}, {"ddd", "Mon"},
	{"HH", "15"}, {"H", ""}, {"hh", "03"}, {"h", "3"}, {"mm", "04"}, {"ss", "05"},
	{"A", "PM"}, {"a", "pm"}, {"Z", "-07:00"}, {"z", "MST"},
}

// writeMoment writes a moment in a form. What is no token stands for itself, and so does what is in brackets.
func writeMoment(moment time.Time, form string) string {
	var out strings.Builder
	for form != "" {
		if form[0] == '[' {
			if literal, rest, closed := strings.Cut(form[1:], "]"); closed {
				out.WriteString(literal)
				form = rest
				continue
			}
		}
		found := false
		for _, t := range dateTokens {
			if rest, ok := strings.CutPrefix(form, t.token); ok {
				if t.layout == "" { // Go has no form for an hour from 0 to 23 without a leading zero
					fmt.Fprint(&out, moment.Hour())
				} else {
					out.WriteString(moment.Format(t.layout))
				}
				form, found = rest, true
				break
			}
		}
		if !found {
			out.WriteByte(form[0])
			form = form[1:]
		}
	}
	return out.String()
}

func wantDateForm(args []argument) error {
	if err := wantTexts(args); err != nil {
		return err
	}
	if len(args) > 0 && strings.TrimSpace(args[0].text) == "" {
		return errors.New("the form is empty")
	}
	if len(args) == 2 {
		if _, err := time.LoadLocation(args[1].text); err != nil || args[1].text == "" {
			return errors.New("there is no such time zone: write one such as Europe/Berlin")
		}
	}
	return nil
}

func applyDate(c cell, args []argument, zone *time.Location) cell {
	form := "YYYY-MM-DD"
	if c.kind == DateTime {
		form = "YYYY-MM-DD HH:mm"
	}
	return dated(c, form, args, zone)
}

func applyTime(c cell, args []argument, zone *time.Location) cell {
	return dated(c, "HH:mm", args, zone)
}

// dated writes a date or a time. A day and a time of day are the same in every zone.
func dated(c cell, form string, args []argument, zone *time.Location) cell {
	moment, ok := c.value.(time.Time)
	if !ok {
		return cell{kind: String}
	}
	if len(args) > 0 {
		form = args[0].text
	}
	if len(args) > 1 {
		if named, err := time.LoadLocation(args[1].text); err == nil {
			zone = named
		}
	}
	if c.kind == DateTime {
		moment = moment.In(zone)
	}
	return textCell(writeMoment(moment, form))
}
