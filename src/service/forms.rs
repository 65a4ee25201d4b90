//! Half-filled forms: what a user has filled in and not yet sent off. Each is its user's alone, and gone after
//! [`limits::TRANSIENT_AGE`], or when he has made too many. They are in the database, because the next call of a dialogue may
//! come to another node; a password that is written into one is not: it is checked at once, and what is kept is that it
//! was right.

use serde_json::{Map, Value};

use super::{Error, Service};
use crate::domain::ids::UserId;
use crate::domain::secret::SecretHash;
use crate::limits;
use crate::store::forms::{self, FormRow};
use crate::store::{StoreError, Tx};

/// What is done when the user has proved who he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// In this session.
    pub session: i64,
    /// This method.
    pub method: String,
    /// On these records.
    pub ids: Vec<i64>,
}

/// A form.
#[derive(Clone, Debug)]
pub struct Form {
    /// Its id.
    pub id: i64,
    /// What was filled in.
    pub values: Map<String, Value>,
    /// For a question for the password.
    pub pending: Option<Pending>,
    /// The password that was written into it was right for the stored hash of this hash.
    pub proof: Option<SecretHash>,
}

/// The password that a change brings: none, one that was wrong, or one that was right.
pub type Proof = Option<Option<SecretHash>>;

impl Form {
    fn of(row: FormRow) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "orest_form", column, id: row.id };
        let values = serde_json::from_str(&row.form_values).map_err(|_| corrupt("form_values"))?;
        let pending = match (row.session_id, row.pending_method, &row.pending_ids) {
            (Some(session), Some(method), Some(ids)) => {
                let ids = serde_json::from_str(ids).map_err(|_| corrupt("pending_ids"))?;
                Some(Pending { session, method, ids })
            }
            _ => None,
        };
        Ok(Self { id: row.id, values, pending, proof: row.password_proof.map(SecretHash::from_stored) })
    }
}

impl Service {
    /// A user's own forms of one kind.
    pub async fn list_forms(&self, user: UserId, model: &'static str) -> Result<Vec<Form>, Error> {
        let after = self.now() - limits::TRANSIENT_AGE;
        let forms = self.store.read(move |connection| {
            forms::list(connection, user, model, after)?.into_iter().map(Form::of).collect::<Result<_, StoreError>>()
        });
        Ok(forms.await?)
    }

    /// Makes a form; the user's oldest goes if he has too many.
    pub async fn make_form(
        &self,
        user: UserId,
        model: &'static str,
        values: Map<String, Value>,
        pending: Option<Pending>,
        proof: Proof,
    ) -> Result<i64, Error> {
        let mut row = FormRow {
            id: 0,
            model: model.to_owned(),
            user_id: user.0,
            form_values: Value::Object(values).to_string(),
            session_id: pending.as_ref().map(|pending| pending.session),
            pending_method: pending.as_ref().map(|pending| pending.method.clone()),
            pending_ids: pending.map(|pending| serde_json::json!(pending.ids).to_string()),
            password_proof: proof.flatten().map(|proof| proof.as_str().to_owned()),
            create_date: self.now(),
        };
        let entropy = std::sync::Arc::clone(&self.entropy);
        let made = self.write(move |tx| {
            forms::keep_latest(tx.connection, user, limits::TRANSIENTS_PER_USER_MAX - 1)?;
            loop {
                let mut random = [0; 4];
                entropy.fill(&mut random);
                // PostgreSQL's int4, and no zero.
                row.id = i64::from(u32::from_be_bytes(random) >> 1).max(1);
                if forms::insert(tx.connection, &row)? {
                    return Ok::<_, Error>(row.id);
                }
            }
        });
        made.await
    }

    /// Changes a user's own forms, all or none. Gives the first that is not there.
    pub async fn change_forms(
        &self,
        user: UserId,
        model: &'static str,
        ids: Vec<i64>,
        values: Map<String, Value>,
        proof: Proof,
    ) -> Result<Result<(), i64>, Error> {
        self.with_own_forms(user, model, ids, move |tx, own| {
            for form in own {
                let mut changed = form.values;
                changed.extend(values.clone());
                forms::set_values(tx.connection, form.id, &Value::Object(changed).to_string())?;
                if let Some(proof) = &proof {
                    forms::set_proof(tx.connection, form.id, proof.as_ref().map(SecretHash::as_str))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Deletes a user's own forms, all or none. Gives the first that is not there.
    pub async fn drop_forms(&self, user: UserId, model: &'static str, ids: Vec<i64>) -> Result<Result<(), i64>, Error> {
        let delete = |tx: &mut Tx<'_>, own: Vec<Form>| {
            forms::delete(tx.connection, &own.iter().map(|form| form.id).collect::<Vec<_>>())
        };
        self.with_own_forms(user, model, ids, delete).await
    }

    async fn with_own_forms(
        &self,
        user: UserId,
        model: &'static str,
        ids: Vec<i64>,
        work: impl FnOnce(&mut Tx<'_>, Vec<Form>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Result<(), i64>, Error> {
        let after = self.now() - limits::TRANSIENT_AGE;
        let done = self.write(move |tx| {
            let mut own = forms::list(tx.connection, user, model, after)?;
            if let Some(missing) = ids.iter().find(|id| !own.iter().any(|row| row.id == **id)) {
                return Ok(Err(*missing));
            }
            own.retain(|row| ids.contains(&row.id));
            let own = own.into_iter().map(Form::of).collect::<Result<_, StoreError>>()?;
            Ok(work(tx, own).map(Ok)?)
        });
        done.await
    }
}
