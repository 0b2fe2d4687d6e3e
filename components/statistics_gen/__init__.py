"""TFX's statistics, with what a title's free text hides as features of their own."""
