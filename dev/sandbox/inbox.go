package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the pure Go driver "sqlite"
)

// inboxFile is the inbox's file in Options.Dir.
const inboxFile = "sandbox.db"

// errNoMessage is returned for an ID that the inbox does not hold.
var errNoMessage = errors.New("sandbox: no such message")

// inbox keeps the messages, in a file or in memory. Its calls are short and run to their end even when the caller's
// context ends: one connection holds a database in memory, and an interrupted one could be thrown away.
type inbox struct {
	db *gorm.DB
}

// query selects messages; the zero value of each field selects all.
type query struct {
	channel  Channel
	channels []Channel // any of these
	to, from string    // the whole address, in any case
	contains string    // anywhere in the addresses, the subject or the text, in any case
	since    time.Time // received then or later
	until    time.Time // received before
	before   string    // ID: only older messages
	limit    int       // 0: no limit
}

func openInbox(ctx context.Context, dir string, log *slog.Logger) (*inbox, error) {
	dsn, err := inboxDSN(dir)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: dsn}, &gorm.Config{
		Logger: logger.NewSlogLogger(log, logger.Config{
			LogLevel:                  logger.Error,
			IgnoreRecordNotFoundError: true,
			ParameterizedQueries:      true, // the values are personal data
		}),
		PrepareStmt:            true,
		SkipDefaultTransaction: true, // every write is one statement
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: open the inbox: %w", err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("sandbox: open the inbox: %w", err)
	}
	pool.SetMaxOpenConns(1)
	if err := db.WithContext(ctx).AutoMigrate(&Message{}); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: prepare the inbox (delete %s to start anew): %w", inboxFile, err), pool.Close())
	}
	return &inbox{db: db}, nil
}

func inboxDSN(dir string) (string, error) {
	// Times are written as text that sorts; a commit survives a crash of the process.
	settings := url.Values{
		"_pragma":      {"journal_mode(WAL)", "busy_timeout(15000)", "synchronous(NORMAL)"},
		"_time_format": {"sqlite"},
	}
	if dir == "" {
		return "file::memory:?" + settings.Encode(), nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("sandbox: folder of the inbox: %w", err)
	}
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dir, inboxFile))}
	return "file:" + path.EscapedPath() + "?" + settings.Encode(), nil
}

func (b *inbox) close() error {
	pool, err := b.db.DB()
	if err != nil {
		return fmt.Errorf("sandbox: close the inbox: %w", err)
	}
	if err := pool.Close(); err != nil {
		return fmt.Errorf("sandbox: close the inbox: %w", err)
	}
	return nil
}

func (b *inbox) session(ctx context.Context) *gorm.DB {
	return b.db.WithContext(context.WithoutCancel(ctx))
}

// add stores messages, all or none, and gives each its ID and time.
func (b *inbox) add(ctx context.Context, messages ...*Message) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, m := range messages {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("sandbox: message ID: %w", err)
		}
		m.ID, m.ReceivedAt = id.String(), now
		if m.Headers == nil {
			m.Headers = map[string]string{}
		}
		if m.Attachments == nil {
			m.Attachments = []Attachment{}
		}
	}
	if err := b.session(ctx).Create(messages).Error; err != nil {
		return fmt.Errorf("sandbox: store a message: %w", err)
	}
	return nil
}

// find lists the messages that q selects, newest first. more says that older ones follow.
func (b *inbox) find(ctx context.Context, q query) (found []Message, more bool, err error) {
	db := q.where(b.session(ctx)).Omit("source").Order("id DESC")
	if q.limit > 0 {
		db = db.Limit(q.limit + 1)
	}
	if err := db.Find(&found).Error; err != nil {
		return nil, false, fmt.Errorf("sandbox: read the inbox: %w", err)
	}
	if q.limit > 0 && len(found) > q.limit {
		return found[:q.limit], true, nil
	}
	return found, false, nil
}

// conversation is what one number has received on a channel.
type conversation struct {
	Message // the newest
	Count   int64
}

// conversations lists what q selects by recipient, the one with the newest message first; before is the newest message
// of an earlier one.
func (b *inbox) conversations(ctx context.Context, q query) (found []conversation, more bool, err error) {
	before := q.before
	q.before = ""
	var heads []struct {
		ID    string
		Count int64
	}
	db := q.where(b.session(ctx).Model(&Message{})).Select("MAX(id) AS id, COUNT(*) AS count").Group("recipient").Order("MAX(id) DESC").Limit(q.limit + 1)
	if before != "" {
		db = db.Having("MAX(id) < ?", before)
	}
	if err := db.Scan(&heads).Error; err != nil {
		return nil, false, fmt.Errorf("sandbox: read the conversations: %w", err)
	}
	if len(heads) > q.limit {
		heads, more = heads[:q.limit], true
	}
	for _, head := range heads {
		m, err := b.get(ctx, head.ID)
		if err != nil {
			return nil, false, err
		}
		found = append(found, conversation{Message: m, Count: head.Count})
	}
	return found, more, nil
}

// count says how many messages q selects, whatever its limit.
func (b *inbox) count(ctx context.Context, q query) (int64, error) {
	var n int64
	if err := q.where(b.session(ctx).Model(&Message{})).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("sandbox: count the inbox: %w", err)
	}
	return n, nil
}

// get returns one message, or errNoMessage.
func (b *inbox) get(ctx context.Context, id string) (Message, error) {
	var m Message
	err := b.session(ctx).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Message{}, errNoMessage
	}
	if err != nil {
		return Message{}, fmt.Errorf("sandbox: read a message: %w", err)
	}
	return m, nil
}

// empty deletes every message.
func (b *inbox) empty(ctx context.Context) error {
	if err := b.session(ctx).Where("1 = 1").Delete(&Message{}).Error; err != nil {
		return fmt.Errorf("sandbox: empty the inbox: %w", err)
	}
	return nil
}

func (q query) where(db *gorm.DB) *gorm.DB {
	if q.channel != "" {
		db = db.Where("channel = ?", q.channel)
	}
	if len(q.channels) > 0 {
		db = db.Where("channel IN ?", q.channels)
	}
	if q.to != "" {
		db = db.Where("recipient = ? COLLATE NOCASE", q.to)
	}
	if q.from != "" {
		db = db.Where("sender = ? COLLATE NOCASE", q.from)
	}
	if q.contains != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.contains) + "%"
		db = db.Where(`(subject LIKE @q ESCAPE '\' OR text LIKE @q ESCAPE '\' OR recipient LIKE @q ESCAPE '\' OR sender LIKE @q ESCAPE '\')`,
			map[string]any{"q": like})
	}
	if !q.since.IsZero() {
		db = db.Where("received_at >= ?", q.since.UTC())
	}
	if !q.until.IsZero() {
		db = db.Where("received_at < ?", q.until.UTC())
	}
	if q.before != "" {
		db = db.Where("id < ?", q.before)
	}
	return db
}
