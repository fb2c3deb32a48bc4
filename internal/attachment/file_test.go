package attachment_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/attachment"
	"github.com/silquetech/silque-notifications/internal/channel"
)

// folders makes two allowed directories and one that is not.
func folders(t *testing.T) (first, second, outside string) {
	t.Helper()
	base := t.TempDir()
	first, second, outside = filepath.Join(base, "first"), filepath.Join(base, "second"), filepath.Join(base, "first-secret")
	write(t, filepath.Join(first, "invoice 7.pdf"), "seven")
	write(t, filepath.Join(first, "2026", "invoice.pdf"), "below")
	write(t, filepath.Join(second, "terms.txt"), "terms")
	write(t, filepath.Join(second, "2026", "invoice.pdf"), "shadowed")
	write(t, filepath.Join(outside, "secret.txt"), "secret")
	return first, second, outside
}

func TestFilesAreReadFromTheAllowedDirectories(t *testing.T) {
	t.Parallel()
	first, second, _ := folders(t)
	f := fetcher(t, func(c *attachment.Config) { c.Dirs = []string{first, second} })
	fileURL := url.URL{Scheme: "file", Path: filepath.Join(first, "invoice 7.pdf")}
	write(t, filepath.Join(first, "link-target.txt"), "linked")
	if err := os.Symlink("link-target.txt", filepath.Join(first, "link.txt")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ location, wantName, want string }{
		"an absolute path":                      {filepath.Join(first, "invoice 7.pdf"), "invoice 7.pdf", "seven"},
		"a path that goes up and comes back":    {first + "/2026/../invoice 7.pdf", "invoice 7.pdf", "seven"},
		"a relative path":                       {"2026/invoice.pdf", "invoice.pdf", "below"},
		"a relative path in the second one":     {"terms.txt", "terms.txt", "terms"},
		"a file URL":                            {fileURL.String(), "invoice 7.pdf", "seven"},
		"a file URL with the name of this host": {"FILE://localhost" + filepath.Join(second, "terms.txt"), "terms.txt", "terms"},
		"a link to a file beside it":            {"link.txt", "link.txt", "linked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, content, err := f.Fetch(t.Context(), tc.location)
			if err != nil || got != tc.wantName || string(content) != tc.want {
				t.Errorf("got %q with %q, %v", got, content, err)
			}
		})
	}
}

func TestNothingLeavesTheAllowedDirectories(t *testing.T) {
	t.Parallel()
	first, second, outside := folders(t)
	f := fetcher(t, func(c *attachment.Config) { c.Dirs = []string{first, second} })
	secret := filepath.Join(outside, "secret.txt")
	for link, target := range map[string]string{"out.txt": secret, "relative.txt": "../first-secret/secret.txt", "up": ".."} {
		if err := os.Symlink(target, filepath.Join(first, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, location := range map[string]string{
		"a path outside":                         secret,
		"a path that goes up":                    first + "/../first-secret/secret.txt",
		"a relative path that goes up":           "../first-secret/secret.txt",
		"a file URL that goes up":                "file://" + first + "/%2e%2e/first-secret/secret.txt",
		"a link to a file outside":               "out.txt",
		"a relative link to a file outside":      filepath.Join(first, "relative.txt"),
		"a link to the directory above":          "up/first-secret/secret.txt",
		"a file URL of another machine":          "file://server" + filepath.Join(first, "invoice 7.pdf"),
		"a directory":                            "2026",
		"the allowed directory itself":           first,
		"a device that is not in a directory":    "/dev/zero",
		"the file of what this process runs for": "/proc/self/environ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, content, err := f.Fetch(t.Context(), location)
			if content != nil {
				t.Errorf("got %q", content)
			}
			wantRefusal(t, err, channel.Permanent, attachment.CodeNotAllowed, location)
		})
	}
}

func TestAFileThatCannotBeReadHasItsReason(t *testing.T) {
	t.Parallel()
	first, second, _ := folders(t)
	f := fetcher(t, func(c *attachment.Config) { c.Dirs = []string{filepath.Join(first, "absent"), first, second} })
	write(t, filepath.Join(first, "limit.bin"), strings.Repeat("x", 1000))
	write(t, filepath.Join(first, "large.bin"), strings.Repeat("x", 1001))
	if _, content, err := f.Fetch(t.Context(), "limit.bin"); err != nil || len(content) != 1000 {
		t.Errorf("a file of just the limit: %d bytes, %v", len(content), err)
	}
	for name, tc := range map[string]struct{ location, code string }{
		"larger than the limit":      {"large.bin", attachment.CodeTooLarge},
		"not there":                  {"absent.pdf", attachment.CodeNotFound},
		"not there, by its path":     {filepath.Join(second, "absent.pdf"), attachment.CodeNotFound},
		"in a directory not there":   {filepath.Join(first, "absent", "a.pdf"), attachment.CodeNotFound},
		"below a file":               {"terms.txt/a.pdf", attachment.CodeNotFound},
		"a name with a zero byte":    {"a\x00b", attachment.CodeNotFound},
		"a name that is much longer": {strings.Repeat("n", 300), attachment.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := f.Fetch(t.Context(), tc.location)
			wantRefusal(t, err, channel.Permanent, tc.code, tc.location)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := f.Fetch(ctx, "terms.txt")
	wantRefusal(t, err, channel.Temporary, attachment.CodeCanceled, "terms.txt")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost: %v", err)
	}
}
