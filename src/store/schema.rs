//! The tables that the typed queries know. The Odoo face reads all of them through [`super::search`] instead.
//! A test compares these columns with what the migrations make.

#![allow(missing_docs, reason = "the migrations say what each column is")]

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    res_users (id) {
        id -> BigInt,
        login -> Text,
        name -> Text,
        email -> Nullable<Text>,
        lang -> Text,
        tz -> Nullable<Text>,
        active -> Bool,
        state -> Text,
        password -> Nullable<Text>,
        password_version -> Nullable<BigInt>,
        odoo_create_date -> Nullable<Timestamp>,
        synced_as_of -> Nullable<BigInt>,
        login_date -> Nullable<Timestamp>,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    res_groups_users_rel (uid, gid) {
        uid -> BigInt,
        gid -> BigInt,
    }
}

table! {
    orest_identity (id) {
        id -> BigInt,
        user_id -> BigInt,
        provider -> Text,
        subject -> Text,
        application_id -> Nullable<BigInt>,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_device (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        platform -> Nullable<Text>,
        browser -> Nullable<Text>,
        device_type -> Text,
        ip_address -> Nullable<Text>,
        cookie_hash -> Nullable<Text>,
        first_activity -> Timestamp,
        last_activity -> Timestamp,
        revoked_at -> Nullable<Timestamp>,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_model_scheme (id) {
        id -> BigInt,
        name -> Text,
        active -> Bool,
        model_limit -> Text,
    }
}

table! {
    orest_model_configuration (id) {
        id -> BigInt,
        scheme_id -> BigInt,
        model -> Text,
        field_limit -> Text,
        field_names -> Nullable<Text>,
    }
}

table! {
    orest_application (id) {
        id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        active -> Bool,
        image -> Nullable<Binary>,
        client_id -> Text,
        client_app_id -> Nullable<Text>,
        client_secret_hash -> Nullable<Text>,
        scope -> Text,
        user_id -> Nullable<BigInt>,
        model_scheme_id -> Nullable<BigInt>,
        authorization_code_expiry -> BigInt,
        authorization_code_retain -> BigInt,
        access_token_expiry -> BigInt,
        refresh_token_expiry -> BigInt,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_application_uri (id) {
        id -> BigInt,
        application_id -> BigInt,
        uri -> Text,
        active -> Bool,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_authorization (id) {
        id -> BigInt,
        active -> Bool,
        application_id -> BigInt,
        user_id -> Nullable<BigInt>,
        device_id -> Nullable<BigInt>,
        grant_type -> Text,
        scope -> Text,
        redirect_uri -> Nullable<Text>,
        generation -> BigInt,
        last_refreshed_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
        expires_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
        revocation_id -> Nullable<BigInt>,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_authorization_code (id) {
        id -> BigInt,
        active -> Bool,
        authorization_id -> BigInt,
        code_hash -> Text,
        redirect_uri -> Text,
        redirect_uri_sent -> Bool,
        code_challenge -> Nullable<Text>,
        expires_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
        purge_at -> Timestamp,
        create_uid -> Nullable<BigInt>,
        create_date -> Timestamp,
        write_uid -> Nullable<BigInt>,
        write_date -> Timestamp,
    }
}

table! {
    orest_revocation (id) {
        id -> BigInt,
        sequence -> BigInt,
        kind -> Text,
        undoes_id -> Nullable<BigInt>,
        create_date -> Timestamp,
        user_id -> Nullable<BigInt>,
        user_login -> Text,
        ip_address -> Nullable<Text>,
        channel -> Text,
        initiating_entity -> Text,
        reason_admin -> Nullable<Text>,
        reason_user -> Nullable<Text>,
        selection -> Text,
        requested -> BigInt,
        revoked -> BigInt,
        already_revoked -> BigInt,
        hides -> Bool,
        authorization_ids -> Binary,
        already_ids -> Nullable<Binary>,
    }
}

table! {
    orest_feed (id) {
        id -> BigInt,
        sequence -> BigInt,
        filled_sequence -> BigInt,
        tag -> Text,
        service_uuid -> Text,
    }
}

table! {
    orest_change (sequence) {
        sequence -> BigInt,
        kind -> Text,
        subject -> Nullable<BigInt>,
        tag -> Text,
        previous_tag -> Text,
        create_date -> Timestamp,
    }
}

table! {
    orest_node (id) {
        id -> Text,
        name -> Text,
        address -> Text,
        version -> Text,
        started_at -> Timestamp,
        renewed_at -> Timestamp,
        renewals -> BigInt,
        lease_ms -> BigInt,
        applied_tag -> Text,
        applied_sequence -> BigInt,
        instance -> Text,
        sealing_keys -> Text,
    }
}

table! {
    res_users_apikeys (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        scope -> Nullable<Text>,
        key_hash -> Text,
        expiration_date -> Nullable<Timestamp>,
        create_date -> Timestamp,
    }
}

table! {
    web_session (id) {
        id -> BigInt,
        sid_hash -> Text,
        user_id -> BigInt,
        device_id -> Nullable<BigInt>,
        create_date -> Timestamp,
        last_activity -> Timestamp,
        identity_checked_at -> Nullable<Timestamp>,
    }
}

table! {
    orest_pairing (id) {
        id -> BigInt,
        odoo_url -> Text,
        credential_hash -> Text,
        database_uuid -> Nullable<Text>,
        previous_database_uuid -> Nullable<Text>,
        last_seen_at -> Nullable<Timestamp>,
        module_version -> Nullable<Text>,
        last_sync_at -> Nullable<Timestamp>,
        create_date -> Timestamp,
    }
}

table! {
    orest_sign_in_ticket (id) {
        id -> BigInt,
        ticket_hash -> Text,
        user_id -> BigInt,
        application_id -> Nullable<BigInt>,
        purpose -> Text,
        query -> Text,
        browser_hash -> Text,
        expires_at -> Timestamp,
    }
}

table! {
    orest_form (id) {
        id -> BigInt,
        model -> Text,
        user_id -> BigInt,
        form_values -> Text,
        session_id -> Nullable<BigInt>,
        pending_method -> Nullable<Text>,
        pending_ids -> Nullable<Text>,
        password_proof -> Nullable<Text>,
        create_date -> Timestamp,
    }
}

table! {
    orest_password_failure (key_hash) {
        key_hash -> Text,
        failures -> BigInt,
        failed_at -> Timestamp,
    }
}

table! {
    orest_sealing_key (id) {
        id -> BigInt,
        check_value -> Text,
        seals -> Bool,
        create_date -> Timestamp,
        retired_at -> Nullable<Timestamp>,
    }
}

table! {
    orest_transfer (id) {
        id -> BigInt,
        source -> Text,
        create_date -> Timestamp,
    }
}

allow_tables_to_appear_in_same_query!(
    res_users,
    res_groups_users_rel,
    orest_identity,
    orest_device,
    orest_model_scheme,
    orest_model_configuration,
    orest_application,
    orest_application_uri,
    orest_authorization,
    orest_authorization_code,
    orest_revocation,
    orest_feed,
    orest_change,
    orest_node,
    res_users_apikeys,
    web_session,
    orest_pairing,
    orest_sign_in_ticket,
    orest_form,
    orest_password_failure,
    orest_sealing_key,
    orest_transfer,
);
