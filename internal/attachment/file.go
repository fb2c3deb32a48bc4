package attachment

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

var (
	errOutside    = errors.New("the path is outside the directories of the settings")
	errNotRegular = errors.New("this is no regular file")
)

// localPath gives the path that a file URL names. On Windows it is written file:///C:/folder/file.
func localPath(u *url.URL) string {
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.FromSlash(path)
}

// read reads the file at path from the first directory that has it.
func (f *Fetcher) read(ctx context.Context, location, path string) (string, []byte, error) {
	outcome := refused(CodeNotAllowed, location, errOutside)
	for _, dir := range f.cfg.Dirs {
		local, ok := inside(dir, path)
		if !ok {
			continue
		}
		content, err := f.readIn(ctx, dir, local)
		switch {
		case err == nil:
			return filepath.Base(local), content, nil
		case errors.Is(err, errTooLarge):
			return "", nil, refused(CodeTooLarge, location, err)
		case absent(err):
			outcome = refused(CodeNotFound, location, err)
		case ctx.Err() != nil:
			return "", nil, interrupted(ctx, CodeReadFailed, location, err)
		case errors.Is(err, fs.ErrPermission):
			return "", nil, refused(CodeNotReadable, location, err)
		case errors.As(err, new(syscall.Errno)):
			return "", nil, interrupted(ctx, CodeReadFailed, location, err)
		default: // a link that leaves the directory, or no regular file: os.Root has no error of its own to ask for
			return "", nil, refused(CodeNotAllowed, location, err)
		}
	}
	return "", nil, outcome
}

// inside gives the path relative to the directory, if it is in there by its words; links are os.Root's to judge.
func inside(dir, path string) (local string, ok bool) {
	local = filepath.Clean(path)
	if filepath.IsAbs(path) {
		var err error
		if local, err = filepath.Rel(dir, path); err != nil {
			return "", false
		}
	}
	return local, filepath.IsLocal(local)
}

// absent finds the errors of a path that names nothing; EINVAL is a zero byte's.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}

// readIn reads a file that cannot be outside dir: os.Root holds every step of the path, and every link on it, to that.
func (f *Fetcher) readIn(ctx context.Context, dir, local string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	// Opening a device can do something, so it is looked at before; it may have been exchanged meanwhile, so it is looked
	// at again after, and the opening of what has become a FIFO does not wait for a writer.
	info, err := root.Stat(local)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := root.OpenFile(local, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	case info.Size() > f.cfg.MaxBytes:
		return nil, errTooLarge
	default:
		return f.readAll(ctx, file)
	}
}
