package account

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"
)

// ErrPassword says that the password is not the user's.
var ErrPassword = errors.New("account: the password is not right")

// PasswordProblem says why a new password is not taken, in words for the person.
type PasswordProblem string

// Error gives the words.
func (p PasswordProblem) Error() string { return string(p) }

// ForPeople marks the text as one to be shown.
func (p PasswordProblem) ForPeople() string { return string(p) }

// Lengths of passwords in characters. NIST SP 800-63B, section 3.1.1.2, asks for 15 where a password is all there is and
// for at most 8 where it is not, and for room for 64 at least; 12 with a limit on tries is between the two. Nothing is asked of what it is made of.
const (
	MinPassword = 12
	MaxPassword = 200
)

// common are passwords of at least MinPassword characters that stand at the top of lists of leaked ones.
var common = []string{
	"123456789012", "1234567890123", "12345678901234", "123456789012345", "1234567890123456", "0123456789012", "123123123123",
	"112233445566", "987654321098", "qwertyuiop12", "qwertyuiop123", "qwertyuiopasdf", "qwertyuiopasdfghjkl", "1q2w3e4r5t6y",
	"1q2w3e4r5t6y7u8i", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qazwsxedcrfv", "q1w2e3r4t5y6", "asdfghjkl123", "zxcvbnm12345",
	"password1234", "password12345", "password123456", "passwordpassword", "passw0rd1234", "p@ssw0rd1234", "mypassword123",
	"changeme1234", "changemechangeme", "administrator", "administrator1", "adminadminadmin", "admin1234567", "welcome12345",
	"welcomewelcome", "letmein12345", "letmeinletmein", "iloveyou1234", "iloveyouiloveyou", "abcdefghijkl", "abcdefghijklm",
	"abcdefghijklmnop", "abc123abc123", "abcd12345678", "football1234", "baseball1234", "sunshine1234", "princess1234",
	"superman1234", "computer1234", "internet1234", "trustno1trustno1", "correcthorsebatterystaple", "correct horse battery staple",
	"silque-notifications", "silquenotifications", "notifications",
}

// CheckNewPassword says what is wrong with a password that somebody wants to have; nil when it is taken.
func CheckNewPassword(password string, u *User) error {
	password = norm.NFC.String(password)
	length := utf8.RuneCountInString(password)
	low := strings.ToLower(strings.TrimSpace(password))
	local, _, _ := strings.Cut(u.Email, "@")
	switch {
	case !utf8.ValidString(password):
		return PasswordProblem("The password holds something that is not text.")
	case length < MinPassword:
		return PasswordProblem("Use 12 characters or more. Several words in a row are good, and easy to remember.")
	case length > MaxPassword:
		return PasswordProblem("Use 200 characters or less.")
	case low == u.Email || low == local || u.Name != "" && strings.EqualFold(low, u.Name):
		return PasswordProblem("This is your own address or name, which others know. Choose another password.")
	case repeats(low) || slices.Contains(common, low):
		return PasswordProblem("This is one of the first passwords that others would try. Choose another one.")
	}
	return nil
}

// repeats says whether a text is one part of up to three characters, again and again.
func repeats(text string) bool {
	runes := []rune(text)
	for length := 1; length <= 3; length++ {
		same := true
		for i := length; i < len(runes); i++ {
			same = same && runes[i] == runes[i-length]
		}
		if same {
			return true
		}
	}
	return false
}

// cost is what OWASP's Password Storage Cheat Sheet asks of argon2id at least: 19 MiB, twice. Some 20 ms, and little
// enough memory that somebody who tries many passwords does not take the machine's.
var cost = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// turns bounds how many hashes are made at once, and with them the memory. It is a variable of the package because the
// machine is one.
var turns = semaphore.NewWeighted(int64(max(2, runtime.NumCPU())))

// hash makes the hash of a password, whose Unicode form is made one first: keyboards differ in how they write é.
func hash(ctx context.Context, password string) (string, error) {
	if err := turns.Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer turns.Release(1)
	return argon2id.CreateHash(norm.NFC.String(password), cost)
}

// hashFor makes the hash of a new password, unless something is wrong with it.
func hashFor(ctx context.Context, u *User, password string) (string, error) {
	if err := CheckNewPassword(password, u); err != nil {
		return "", err
	}
	return hash(ctx, password)
}

// nobodys is compared with when there is no hash, so that the answer takes as long.
var nobodys = sync.OnceValue(func() string {
	made, err := argon2id.CreateHash("nobody has this password", cost)
	if err != nil {
		panic(err) // the system has no randomness left
	}
	return made
})

// CheckPassword says whether a password is the one of the hash. It takes the same time when the hash is empty, and then
// says no; it also says no when ctx ends before its turn comes.
func CheckPassword(ctx context.Context, password, hash string) bool {
	if utf8.RuneCountInString(password) > MaxPassword {
		password = ""
	}
	given := hash != ""
	if !given {
		hash = nobodys()
	}
	if turns.Acquire(ctx, 1) != nil {
		return false
	}
	defer turns.Release(1)
	match, err := argon2id.ComparePasswordAndHash(norm.NFC.String(password), hash)
	return err == nil && match && given
}
