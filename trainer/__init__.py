"""The code that runs inside the Trainer: the encoder, the model, its input, its optimizer and its export."""


def run_fn(fn_args):
    """TFX's entry point: fine-tunes on `fn_args.train_files` and exports to `fn_args.serving_model_dir`.

    Give it to the Trainer as `run_fn='trainer.run_fn'`: an importable package needs no wheel built at run time, which
    `module_file` would. See `trainer.fine_tune`, imported late so that `import trainer` stays light.

    Args:
      fn_args: `tfx.components.FnArgs`; `custom_config` holds what `trainer.settings.TrainerSettings` names.
    """
    from trainer.fine_tune import fine_tune

    fine_tune(fn_args)


def tuner_fn(fn_args):
    """TFX's entry point: the search for a better recipe on `fn_args.train_files`, see `trainer.tuning.tuner`."""
    from trainer.tuning.tuner import tuner

    return tuner(fn_args)
