// Package attachment fetches the files that go with messages. Locations come from rules and rows, so what may be read
// is decided by the settings alone: files inside some directories, and URLs of some hosts.
package attachment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
)

// DefaultTimeout is how long one download may take.
const DefaultTimeout = 5 * time.Second

// The codes of files that could not be fetched. A refusal of a web server gives attachment_http_ and its status.
const (
	CodeNotAllowed     = "attachment_not_allowed"     // not inside a directory, on a host, or in a network, of the settings
	CodeTooLarge       = "attachment_too_large"       // more than Config.MaxBytes
	CodeNotFound       = "attachment_not_found"       // no such file
	CodeNotReadable    = "attachment_not_readable"    // this process may not read it
	CodeReadFailed     = "attachment_read_failed"     // the file system failed
	CodeConnect        = "attachment_connect"         // no connection: refused, unreachable, unknown host, certificate
	CodeConnectionLost = "attachment_connection_lost" // the download broke off
	CodeTimeout        = "attachment_timeout"         // Config.Timeout, or the caller's deadline, passed
	CodeCanceled       = "attachment_canceled"        // the caller gave up
	CodeRedirects      = "attachment_redirects"       // more than three redirects
	CodeBadAnswer      = "attachment_bad_answer"      // a success whose content is encoded although nobody asked for that
)

// Config says what may be fetched.
type Config struct {
	// Dirs are the directories, by absolute path, whose files may go with messages, those of their sub-directories too.
	Dirs []string
	// Hosts may be downloaded from: files.example.com or files.example.com:8443 for https, http://files.example.com for
	// http. Without a port it is the scheme's own.
	Hosts []string
	// Networks are the private networks, as 10.0.0.0/8 or 10.0.0.7, in which hosts that are given by name may be. All
	// other names must lead to public addresses, whatever DNS says; a host that is given as an address is what it is.
	Networks []string
	// MaxBytes is the size of one file at most.
	MaxBytes int64
	// Timeout bounds one Fetch; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Fetcher fetches files. It is safe for concurrent use and needs no closing.
type Fetcher struct {
	cfg    Config
	hosts  map[string]bool // as originOf writes them
	client *http.Client

	networks []netip.Prefix
	// resolver is the system's when nil.
	resolver *net.Resolver
}

// New checks the settings and gives a Fetcher for them. Everything that is wrong is named at once. Nothing is opened: a
// directory may come later.
func New(cfg Config) (*Fetcher, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	f := &Fetcher{cfg: cfg, hosts: map[string]bool{}}
	var problems []error
	if cfg.MaxBytes < 1 || cfg.Timeout < 0 {
		problems = append(problems, errors.New("attachment: MaxBytes must be 1 or more, and Timeout must not be negative"))
	}
	for _, dir := range cfg.Dirs {
		if !filepath.IsAbs(dir) {
			problems = append(problems, fmt.Errorf("attachment: directory %q must be an absolute path", dir))
		}
	}
	for _, host := range cfg.Hosts {
		origin, err := hostEntry(host)
		if err != nil {
			problems = append(problems, err)
		}
		f.hosts[origin] = true
	}
	var err error
	if f.networks, err = networks(cfg.Networks); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	f.client = f.newClient()
	return f, nil
}

// Fetch reads the file at location, whole: a path inside one of the directories (a relative one is looked for in each, in
// their order), a file:// URL of such a path, or a URL on one of the hosts. name is the file's own, and empty when it has
// none; it is as foreign as the content. Symbolic links are followed where they stay inside their directory.
//
// Every failure is a *channel.Error: Permanent when the settings, the location or the file have to change, Temporary when
// the network, the server or the disk may recover. Neither its text nor its code tells the location; Detail does.
func (f *Fetcher) Fetch(ctx context.Context, location string) (name string, content []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	scheme, _, isURL := strings.Cut(location, "://")
	if !isURL {
		return f.read(ctx, location, location)
	}
	u, err := url.Parse(location)
	if err != nil {
		return "", nil, refused(CodeNotAllowed, location, errors.New("this is no URL"))
	}
	switch strings.ToLower(scheme) {
	case "file":
		if u.Host != "" && !strings.EqualFold(u.Host, "localhost") {
			return "", nil, refused(CodeNotAllowed, location, errors.New("a file URL names no other machine"))
		}
		return f.read(ctx, location, localPath(u))
	case "http", "https":
		return f.download(ctx, u)
	default:
		return "", nil, refused(CodeNotAllowed, location, errors.New("only paths, file, https and http URLs can be fetched"))
	}
}

// readAll reads up to MaxBytes and notices when ctx ends.
func (f *Fetcher) readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(contextReader{ctx, r}, f.cfg.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > f.cfg.MaxBytes {
		return nil, errTooLarge
	}
	return content, nil
}

var errTooLarge = errors.New("the file is larger than the settings allow")

// contextReader ends a long read between two of its steps.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read reads on while the context lasts.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// refused is a file that another try would not get either.
func refused(code, location string, cause error) *channel.Error {
	return failure(channel.Permanent, code, location, cause)
}

// interrupted is a file that another try may get. When ctx ended, that is the reason.
func interrupted(ctx context.Context, code, location string, cause error) *channel.Error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = CodeTimeout
	case ctx.Err() != nil:
		code = CodeCanceled
	}
	return failure(channel.Temporary, code, location, cause)
}

func failure(class channel.Class, code, location string, cause error) *channel.Error {
	return &channel.Error{Class: class, Code: code, Detail: fmt.Sprintf("%s: %v", location, cause), Cause: cause}
}
