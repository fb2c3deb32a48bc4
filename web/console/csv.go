package console

import (
	"encoding/csv"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// exportLimit is the rows of one file.
const exportLimit = 100_000

// export streams the rows of a search as a CSV file, newest first. A file that breaks off ends with a line that says so,
// because its status has been sent by then.
func export[T any](c *gin.Context, name string, head []string, read func(p store.Paging) (store.Found[T], error), row func(T, *time.Location) []string) error {
	paging := store.Paging{Limit: store.MaxLimit, Patience: 2 * time.Second}
	found, err := read(paging)
	if err != nil {
		return err
	}
	ui.Protect(c, ui.Policy)
	c.Header("Content-Type", "text/csv; charset=utf-8")
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.csv"`, name, time.Now().In(zone(c)).Format("2006-01-02-1504")))
	// Spreadsheets take a file without this mark for one of another encoding.
	_, _ = c.Writer.WriteString("\ufeff")
	w, at := csv.NewWriter(c.Writer), zone(c)
	_ = w.Write(head)
	for rows := 0; ; {
		for _, item := range found.Items {
			if rows++; rows > exportLimit {
				_ = w.Write([]string{fmt.Sprintf("The file ends here, after %d rows. Narrow the filter, by time for example, for the others.", exportLimit)})
				w.Flush()
				return nil
			}
			cells := row(item, at)
			for i := range cells {
				cells[i] = harmless(cells[i])
			}
			_ = w.Write(cells)
		}
		w.Flush()
		c.Writer.Flush()
		if paging.Cursor = found.Next; paging.Cursor == "" {
			paging.Cursor = found.Further
		}
		if paging.Cursor == "" || w.Error() != nil {
			return nil // who asked has hung up, or has everything
		}
		if found, err = read(paging); err != nil {
			s := "The file breaks off here: the database did not answer. Export it anew."
			_ = w.Write([]string{s})
			w.Flush()
			return nil //nolint:nilerr // the answer has begun: the file says so itself
		}
	}
}

// harmless keeps a spreadsheet from taking a text for a formula (OWASP, CSV Injection): some take the wide forms of Japanese
// keyboards for the narrow ones.
func harmless(cell string) string {
	if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// stamp writes a moment in the reader's zone with its offset; nothing for none.
func stamp(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format("2006-01-02T15:04:05.000Z07:00")
}

func stampOf(at *time.Time, zone *time.Location) string {
	if at == nil {
		return ""
	}
	return stamp(*at, zone)
}
