#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml mounts, in the folder "values" beside this script. A secret that is there
# already is left as it is, so this may run at any time.
set -euo pipefail

folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/values"

# Only this user may enter the folder. The files in it must be readable by anyone, because Docker mounts each of them,
# owner and mode included, into containers that run as users of their own.
mkdir -p "$folder"
chmod 700 "$folder"

# keep NAME VALUE: writes the secret, unless there is one.
keep() {
    if [[ -e "$folder/$1" ]]; then
        echo "kept  $1"
        return
    fi
    printf '%s' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
    echo "made  $1"
}

# 256 random bits as letters and digits, which need no quoting in a URL or in YAML.
random() {
    od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'
}

keep postgres_password "$(random)"
keep notifications_db_password "$(random)"
keep temporal_db_password "$(random)"
keep api_token "$(random)"

password=$(cat "$folder/notifications_db_password")
keep database_url "postgres://notifications:$password@postgres:5432/notifications?sslmode=disable"

# Other people's secrets: empty until they are written in.
keep smtp_password ""
keep twilio_auth_token ""

echo "The API's token (Authorization: Bearer …) is in $folder/api_token"
