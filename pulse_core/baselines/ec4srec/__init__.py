"""EC4SRec (Wang et al. 2022): contrastive learning guided by explanations of the backbone's predictions."""
