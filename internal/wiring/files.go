package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/silquetech/silque-notifications/activities"
	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/rule"
)

const (
	// maxFetch bounds how long all files of one message may take. An activity has 30 s, and an email begins only with
	// three quarters of its SMTP_TIMEOUT left, which may be 25 s: after 5 s of fetching it can still be handed over. Of an
	// activity that has less time left, fetching takes fetchShare (as a divisor) at most.
	maxFetch   = 5 * time.Second
	fetchShare = 3
	// unnamedText is the name of an inline text that the rule gives none.
	unnamedText = "attachment.txt"
)

// withFiles is a channel whose messages carry files. They are fetched at the hand-over, by every attempt anew: until
// then they are locations in the database, and asking for a doubtful message (Find) needs none.
type withFiles struct {
	adapter
	fetcher           *attachment.Fetcher
	maxFile, maxTotal int64 // bytes: of one, and of all files of a message
}

func newWithFiles(sender channel.Sender, c config.Attachments, fetcher *attachment.Fetcher) withFiles {
	return withFiles{adapter: adapter{sender}, fetcher: fetcher, maxFile: int64(c.MaxSize), maxTotal: c.MaxTotal()}
}

// newFetcher makes what fetches files; every wrong setting is named.
func newFetcher(c config.Attachments) (*attachment.Fetcher, error) {
	fetcher, err := attachment.New(attachment.Config{
		Dirs: c.Dirs, Hosts: c.Hosts, Networks: c.Networks, MaxBytes: int64(c.MaxSize), Timeout: maxFetch,
	})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_ATTACHMENT settings: %w", err)
	}
	return fetcher, nil
}

// Send fetches the message's files and hands it over whole: a file that is missing holds the message back.
func (w withFiles) Send(ctx context.Context, m activities.Message) (providerID, detail string, err error) {
	message := messageOf(m)
	if message.Files, err = w.files(ctx, m.Details.Files); err != nil {
		return "", "", translated(err)
	}
	return w.hand(ctx, message)
}

func (w withFiles) files(ctx context.Context, wanted []rule.File) ([]channel.File, error) {
	ctx, cancel := context.WithTimeout(ctx, timeToFetch(ctx))
	defer cancel()
	var files []channel.File
	total := int64(0)
	for _, one := range wanted {
		file, err := w.file(ctx, one)
		if err != nil {
			return nil, err
		}
		if total += int64(len(file.Content)); total > w.maxTotal {
			return nil, tooLarge(w.maxTotal, "all files of the message")
		}
		files = append(files, file)
	}
	return files, nil
}

func (w withFiles) file(ctx context.Context, one rule.File) (channel.File, error) {
	if one.Location == "" {
		if int64(len(one.Text)) > w.maxFile {
			return channel.File{}, tooLarge(w.maxFile, "the text that goes as a file")
		}
		return channel.File{Name: cmp.Or(one.Name, unnamedText), Content: []byte(one.Text)}, nil
	}
	name, content, err := w.fetcher.Fetch(ctx, one.Location)
	return channel.File{Name: cmp.Or(one.Name, name), Content: content}, err
}

// timeToFetch is how long the files may take, by maxFetch and fetchShare.
func timeToFetch(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxFetch
	}
	return min(maxFetch, time.Until(deadline)/fetchShare)
}

func tooLarge(most int64, what string) error {
	cause := errors.New(what + " is larger than NOTIFY_ATTACHMENT_MAX_SIZE allows: " + config.Size(most).String())
	return &channel.Error{Class: channel.Permanent, Code: attachment.CodeTooLarge, Detail: cause.Error(), Cause: cause}
}
