package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/silquetech/silque-notifications/internal/audit"
	"github.com/silquetech/silque-notifications/internal/outbox"
)

// InvitationLife is how long a link to set a password can be used.
const InvitationLife = 24 * time.Hour

// ErrInvitation says that a link cannot be used: it never was one, was used, is too old, or a newer one took its place.
var ErrInvitation = errors.New("account: the link cannot be used")

type invitationRow struct {
	ID        string `gorm:"primaryKey"`
	UserID    string
	TokenHash string
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
}

// TableName is fixed by the migrations.
func (invitationRow) TableName() string { return "notify_invitations" }

// digest is how a random secret is kept: one that nobody can guess needs no slow hash.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Invite makes a user, and a secret with which they set their password, once, within InvitationLife.
func (s Users) Invite(ctx context.Context, email, name string, role Role, by string) (u *User, secret string, err error) {
	user, err := s.newUser(email, name, role)
	if err != nil {
		return nil, "", err
	}
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := create(tx, user); err != nil {
			return err
		}
		if secret, err = s.invite(tx, user, by); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "user.invited", TargetID: user.ID, Detail: fmt.Sprintf("%s as %s", user.Email, role)})
	})
	if err != nil {
		return nil, "", ours("invite", err)
	}
	return user, secret, nil
}

// InviteAgain makes a new secret for a user, with which they set a password or, having lost it, another one. Links from
// before cannot be used any more; the password that they have stays until then.
func (s Users) InviteAgain(ctx context.Context, id, by string) (u *User, secret string, err error) {
	user := new(User)
	err = session(s.DB).WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(user, "id = ?", id).Error; err != nil {
			return found("user", err)
		}
		if secret, err = s.invite(tx, user, by); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Entry{Actor: by, Action: "user.link_made", TargetID: user.ID, Detail: user.Email})
	})
	if err != nil {
		return nil, "", ours("invite", err)
	}
	return user, secret, nil
}

// invite writes an invitation in place of all others of the user.
func (s Users) invite(tx *gorm.DB, u *User, by string) (string, error) {
	now := clock(s.Now)
	if err := endInvitations(tx, u.ID); err != nil {
		return "", err
	}
	secret := rand.Text()
	return secret, tx.Create(&invitationRow{
		ID: outbox.NewID(), UserID: u.ID, TokenHash: digest(secret), CreatedBy: by, CreatedAt: now, ExpiresAt: now.Add(InvitationLife),
	}).Error
}

// endInvitations takes the links of a user out of use.
func endInvitations(tx *gorm.DB, userID string) error {
	return tx.Delete(&invitationRow{}, "user_id = ?", userID).Error
}

// Invited reads the user of a secret, or gives ErrInvitation.
func (s Users) Invited(ctx context.Context, secret string) (*User, error) {
	return s.invited(session(s.DB).WithContext(ctx), secret)
}

func (s Users) invited(tx *gorm.DB, secret string) (*User, error) {
	var row invitationRow
	err := tx.Take(&row, "token_hash = ? AND used_at IS NULL AND expires_at > ?", digest(secret), clock(s.Now)).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, ErrInvitation
	}
	if err != nil {
		return nil, fmt.Errorf("account: read an invitation: %w", err)
	}
	user := new(User)
	if err := tx.Take(user, "id = ?", row.UserID).Error; err != nil {
		return nil, found("user", err)
	}
	if !user.Active {
		return nil, ErrInvitation
	}
	return user, nil
}

// Welcome sets the password of the user of a secret, uses the secret up, and ends every session of theirs. A name that is
// not empty becomes theirs.
func (s Users) Welcome(ctx context.Context, secret, name, password string) (*User, error) {
	user, err := s.Invited(ctx, secret)
	if err != nil {
		return nil, err
	}
	hash, err := hashFor(ctx, user, password)
	if err != nil {
		return nil, err
	}
	if name, err = normalName(name); err != nil {
		return nil, err
	}
	return s.change(ctx, user.ID, user.Email, func(tx *gorm.DB, u *User) (string, string, error) {
		now := clock(s.Now)
		used := tx.Model(&invitationRow{}).Where("token_hash = ? AND used_at IS NULL AND expires_at > ?", digest(secret), now).
			UpdateColumn("used_at", now)
		if used.Error != nil {
			return "", "", used.Error
		}
		if used.RowsAffected == 0 || !u.Active {
			return "", "", ErrInvitation // a moment ago it could be used
		}
		if name != "" {
			u.Name = name
		}
		u.PasswordHash = hash
		u.Stamp++
		return "user.password_set", u.Email, endSessions(tx, u.ID, "", now)
	})
}
