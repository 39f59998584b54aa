"""The works that methods, data sets, networks, initialisers and tests come from; unknown fields are left out.

Title, authors, venue, year, pages and arXiv number of each were compared with what its publisher or others who cite it
print. What was found nowhere is left out: FreezeNet's DOI, and the pages of most proceedings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench import __version__


@dataclass(frozen=True)
class Reference:
    """A BibTeX entry; its values may hold LaTeX."""

    kind: str  # as "article"
    fields: Mapping[str, str]

    def bibtex(self, key: str) -> str:
        lines = [f"  {name:<13} = {{{value}}}," for name, value in self.fields.items()]
        return "\n".join([f"@{self.kind}{{{key},", *lines, "}"])


def _arxiv(kind: str, eprint: str, /, **fields: str) -> Reference:
    return Reference(kind, {**fields, "eprint": eprint, "archiveprefix": "arXiv"})


ICLR = "International Conference on Learning Representations (ICLR)"
ICML = "International Conference on Machine Learning (ICML)"
NEURIPS = "Advances in Neural Information Processing Systems (NeurIPS)"

REFERENCES: dict[str, Reference] = {
    # Methods.
    "wimmer2020freezenet": _arxiv(
        "inproceedings", "2011.14087", author="Paul Wimmer and Jens Mehnert and Alexandru Condurache",
        title="{FreezeNet}: Full Performance by Reduced Storage Costs",
        booktitle="Asian Conference on Computer Vision (ACCV)", year="2020",
    ),
    "liu2019rethinking": _arxiv(
        "inproceedings", "1810.05270",
        author="Zhuang Liu and Mingjie Sun and Tinghui Zhou and Gao Huang and Trevor Darrell",
        title="Rethinking the Value of Network Pruning", booktitle=ICLR, year="2019",
    ),
    "enderich2021holistic": _arxiv(
        "inproceedings", "2009.08169", author="Lukas Enderich and Fabian Timm and Wolfram Burgard",
        title="Holistic Filter Pruning for Efficient Deep Neural Networks",
        booktitle="IEEE Winter Conference on Applications of Computer Vision (WACV)", year="2021",
    ),
    "liu2017learning": _arxiv(
        "inproceedings", "1708.06519",
        author="Zhuang Liu and Jianguo Li and Zhiqiang Shen and Gao Huang and Shoumeng Yan and Changshui Zhang",
        title="Learning Efficient Convolutional Networks through Network Slimming",
        booktitle="IEEE International Conference on Computer Vision (ICCV)", year="2017",
    ),
    "frankle2019lottery": _arxiv(
        "inproceedings", "1803.03635", author="Jonathan Frankle and Michael Carbin",
        title="The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks", booktitle=ICLR, year="2019",
    ),
    "ansell2022composable": _arxiv(
        "inproceedings", "2110.07560",
        author="Alan Ansell and Edoardo Ponti and Anna Korhonen and Ivan Vuli{\\'c}",
        title="Composable Sparse Fine-Tuning for Cross-Lingual Transfer",
        booktitle="Annual Meeting of the Association for Computational Linguistics (ACL)",
        pages="1778--1796", year="2022",
    ),
    "lee2019snip": _arxiv(
        "inproceedings", "1810.02340", author="Namhoon Lee and Thalaiyasingam Ajanthan and Philip H. S. Torr",
        title="{SNIP}: Single-shot Network Pruning based on Connection Sensitivity", booktitle=ICLR, year="2019",
    ),
    "wang2020grasp": _arxiv(
        "inproceedings", "2002.07376", author="Chaoqi Wang and Guodong Zhang and Roger Grosse",
        title="Picking Winning Tickets Before Training by Preserving Gradient Flow", booktitle=ICLR, year="2020",
    ),
    "tanaka2020synflow": _arxiv(
        "inproceedings", "2006.05467",
        author="Hidenori Tanaka and Daniel Kunin and Daniel L. K. Yamins and Surya Ganguli",
        title="Pruning neural networks without any data by iteratively conserving synaptic flow",
        booktitle=NEURIPS, year="2020",
    ),
    "gebhart2021unified": _arxiv(
        "misc", "2101.10552", author="Thomas Gebhart and Udit Saxena and Paul Schrater",
        title="A Unified Paths Perspective for Pruning at Initialization", year="2021",
    ),
    "patil2021phew": _arxiv(
        "inproceedings", "2010.11354", author="Shreyas Malakarjun Patil and Constantine Dovrolis",
        title="{PHEW}: Constructing Sparse Networks that Learn Fast and Generalize Well without Training Data",
        booktitle=ICML, year="2021",
    ),
    "wang2023ntksap": _arxiv(
        "inproceedings", "2304.02840", author="Yite Wang and Dawei Li and Ruoyu Sun",
        title="{NTK-SAP}: Improving neural network pruning by aligning training dynamics", booktitle=ICLR, year="2023",
    ),
    "iurada2024finding": _arxiv(
        "inproceedings", "2406.01820", author="Leonardo Iurada and Marco Ciccone and Tatiana Tommasi",
        title="Finding Lottery Tickets in Vision Models via Data-driven Spectral Foresight Pruning",
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)", year="2024",
    ),
    "dejorge2021force": _arxiv(
        "inproceedings", "2006.09081",
        author="Pau de Jorge and Amartya Sanyal and Harkirat S. Behl and Philip H. S. Torr and Gr{\\'e}gory Rogez "
        "and Puneet K. Dokania",
        title="Progressive Skeletonization: Trimming more fat from a network at initialization",
        booktitle=ICLR, year="2021",
    ),
    "alizadeh2022prospr": _arxiv(
        "inproceedings", "2202.08132",
        author="Milad Alizadeh and Shyam A. Tailor and Luisa M. Zintgraf and Joost van Amersfoort and "
        "Sebastian Farquhar and Nicholas Donald Lane and Yarin Gal",
        title="Prospect Pruning: Finding Trainable Weights at Initialization using Meta-Gradients",
        booktitle=ICLR, year="2022",
    ),
    "mocanu2018scalable": _arxiv(
        "article", "1707.04780",
        author="Decebal Constantin Mocanu and Elena Mocanu and Peter Stone and Phuong H. Nguyen and Madeleine Gibescu "
        "and Antonio Liotta",
        title="Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network "
        "science",
        journal="Nature Communications", volume="9", number="1", pages="2383", year="2018",
        doi="10.1038/s41467-018-04316-3",
    ),
    "evci2020rigging": _arxiv(
        "inproceedings", "1911.11134",
        author="Utku Evci and Trevor Gale and Jacob Menick and Pablo Samuel Castro and Erich Elsen",
        title="Rigging the Lottery: Making All Tickets Winners",
        booktitle=ICML, year="2020",
    ),
    "frankle2021missing": _arxiv(
        "inproceedings", "2009.08576",
        author="Jonathan Frankle and Gintare Karolina Dziugaite and Daniel M. Roy and Michael Carbin",
        title="Pruning Neural Networks at Initialization: Why Are We Missing the Mark?", booktitle=ICLR, year="2021",
    ),
    "su2020sanity": _arxiv(
        "inproceedings", "2009.11094",
        author="Jingtong Su and Yihang Chen and Tianle Cai and Tianhao Wu and Ruiqi Gao and Liwei Wang "
        "and Jason D. Lee",
        title="Sanity-Checking Pruning Methods: Random Tickets can Win the Jackpot", booktitle=NEURIPS, year="2020",
    ),
    "sung2021training": _arxiv(
        "inproceedings", "2111.09839", author="Yi-Lin Sung and Varun Nair and Colin Raffel",
        title="Training Neural Networks with Fixed Sparse Masks", booktitle=NEURIPS, year="2021",
    ),
    "bhardwaj2024sparse": _arxiv(
        "inproceedings", "2406.13175", author="Kartikeya Bhardwaj and others", title="Sparse High Rank Adapters",
        booktitle=NEURIPS, year="2024",
    ),
    "liao2023parameter": _arxiv(
        "inproceedings", "2305.16742", author="Baohao Liao and Yan Meng and Christof Monz",
        title="Parameter-Efficient Fine-Tuning without Introducing New Latency",
        booktitle="Annual Meeting of the Association for Computational Linguistics (ACL)",
        pages="4242--4260", year="2023",
    ),
    "verdenius2020pruning": _arxiv(
        "misc", "2006.00896", author="Stijn Verdenius and Maarten Stol and Patrick Forr{\\'e}",
        title="Pruning via Iterative Ranking of Sensitivity Statistics", year="2020",
    ),
    "frankle2021training": _arxiv(
        "inproceedings", "2003.00152", author="Jonathan Frankle and David J. Schwab and Ari S. Morcos",
        title="Training {BatchNorm} and Only {BatchNorm}: On the Expressive Power of Random Features in {CNNs}",
        booktitle=ICLR, year="2021",
    ),
    # Data sets.
    "alpaydin1998optical": Reference("misc", {
        "author": "Ethem Alpaydin and Cenk Kaynak", "title": "Optical Recognition of Handwritten Digits",
        "howpublished": "UCI Machine Learning Repository", "year": "1998", "doi": "10.24432/C50P49",
    }),
    "pedregosa2011scikit": Reference("article", {
        "author": "Fabian Pedregosa and others", "title": "Scikit-learn: Machine Learning in {Python}",
        "journal": "Journal of Machine Learning Research", "volume": "12", "pages": "2825--2830", "year": "2011",
    }),
    "lecun1998gradient": Reference("article", {
        "author": "Yann LeCun and L{\\'e}on Bottou and Yoshua Bengio and Patrick Haffner",
        "title": "Gradient-based learning applied to document recognition", "journal": "Proceedings of the IEEE",
        "volume": "86", "number": "11", "pages": "2278--2324", "year": "1998",
    }),
    "xiao2017fashion": _arxiv(
        "misc", "1708.07747", author="Han Xiao and Kashif Rasul and Roland Vollgraf",
        title="{Fashion-MNIST}: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", year="2017",
    ),
    "krizhevsky2009learning": Reference("techreport", {
        "author": "Alex Krizhevsky", "title": "Learning Multiple Layers of Features from Tiny Images",
        "institution": "University of Toronto", "year": "2009",
    }),
    "netzer2011reading": Reference("inproceedings", {
        "author": "Yuval Netzer and Tao Wang and Adam Coates and Alessandro Bissacco and Bo Wu and Andrew Y. Ng",
        "title": "Reading Digits in Natural Images with Unsupervised Feature Learning",
        "booktitle": "NIPS Workshop on Deep Learning and Unsupervised Feature Learning", "year": "2011",
    }),
    "feifei2004learning": Reference("inproceedings", {
        "author": "Li Fei-Fei and Rob Fergus and Pietro Perona",
        "title": "Learning Generative Visual Models from Few Training Examples: an Incremental {Bayesian} Approach "
        "Tested on 101 Object Categories",
        "booktitle": "Conference on Computer Vision and Pattern Recognition Workshop", "year": "2004",
    }),
    "zhu2017prune": _arxiv(
        "misc", "1710.01878", author="Michael Zhu and Suyog Gupta",
        title="To prune, or not to prune: exploring the efficacy of pruning for model compression", year="2017",
    ),
    "golub2019full": _arxiv(
        "inproceedings", "1806.06949", author="Maximilian Golub and Guy Lemieux and Mieszko Lis",
        title="Full deep neural network training on a pruned weight budget",
        booktitle="Conference on Machine Learning and Systems (MLSys)", year="2019",
    ),
    "ramanujan2020hidden": _arxiv(
        "inproceedings", "1911.13299", author="Vivek Ramanujan and Mitchell Wortsman and Aniruddha Kembhavi and "
        "Ali Farhadi and Mohammad Rastegari", title="What's Hidden in a Randomly Weighted Neural Network?",
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)", year="2020",
    ),
    # Networks.
    "simonyan2015deep": _arxiv(
        "inproceedings", "1409.1556", author="Karen Simonyan and Andrew Zisserman",
        title="Very Deep Convolutional Networks for Large-Scale Image Recognition", booktitle=ICLR, year="2015",
    ),
    "he2016deep": _arxiv(
        "inproceedings", "1512.03385", author="Kaiming He and Xiangyu Zhang and Shaoqing Ren and Jian Sun",
        title="Deep Residual Learning for Image Recognition",
        booktitle="IEEE Conference on Computer Vision and Pattern Recognition (CVPR)", year="2016",
    ),
    "zagoruyko2016wide": _arxiv(
        "inproceedings", "1605.07146", author="Sergey Zagoruyko and Nikos Komodakis", title="Wide Residual Networks",
        booktitle="British Machine Vision Conference (BMVC)", year="2016",
    ),
    "howard2017mobilenets": _arxiv(
        "misc", "1704.04861", author="Andrew G. Howard and others",
        title="{MobileNets}: Efficient Convolutional Neural Networks for Mobile Vision Applications", year="2017",
    ),
    # Initial weights and training.
    "glorot2010understanding": Reference("inproceedings", {
        "author": "Xavier Glorot and Yoshua Bengio",
        "title": "Understanding the difficulty of training deep feedforward neural networks",
        "booktitle": "International Conference on Artificial Intelligence and Statistics (AISTATS)", "year": "2010",
    }),
    "he2015delving": _arxiv(
        "inproceedings", "1502.01852", author="Kaiming He and Xiangyu Zhang and Shaoqing Ren and Jian Sun",
        title="Delving Deep into Rectifiers: Surpassing Human-Level Performance on {ImageNet} Classification",
        booktitle="IEEE International Conference on Computer Vision (ICCV)", year="2015",
    ),
    "saxe2014exact": _arxiv(
        "inproceedings", "1312.6120", author="Andrew M. Saxe and James L. McClelland and Surya Ganguli",
        title="Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
        booktitle=ICLR, year="2014",
    ),
    "kingma2015adam": _arxiv(
        "inproceedings", "1412.6980", author="Diederik P. Kingma and Jimmy Ba",
        title="Adam: A Method for Stochastic Optimization", booktitle=ICLR, year="2015",
    ),
    "loshchilov2019decoupled": _arxiv(
        "inproceedings", "1711.05101", author="Ilya Loshchilov and Frank Hutter",
        title="Decoupled Weight Decay Regularization", booktitle=ICLR, year="2019",
    ),
    "loshchilov2017sgdr": _arxiv(
        "inproceedings", "1608.03983", author="Ilya Loshchilov and Frank Hutter",
        title="{SGDR}: Stochastic Gradient Descent with Warm Restarts", booktitle=ICLR, year="2017",
    ),
    # Statistics.
    "student1908probable": Reference("article", {
        "author": "Student", "title": "The probable error of a mean", "journal": "Biometrika", "volume": "6",
        "number": "1", "pages": "1--25", "year": "1908",
    }),
    "wilcoxon1945individual": Reference("article", {
        "author": "Frank Wilcoxon", "title": "Individual comparisons by ranking methods",
        "journal": "Biometrics Bulletin", "volume": "1", "number": "6", "pages": "80--83", "year": "1945",
    }),
    "pratt1959remarks": Reference("article", {
        "author": "John W. Pratt", "title": "Remarks on zeros and ties in the {Wilcoxon} signed rank procedures",
        "journal": "Journal of the American Statistical Association", "volume": "54", "number": "287",
        "pages": "655--667", "year": "1959",
    }),
    "phipson2010permutation": Reference("article", {
        "author": "Belinda Phipson and Gordon K. Smyth",
        "title": "Permutation {P}-values should never be zero: calculating exact {P}-values when permutations are "
        "randomly drawn",
        "journal": "Statistical Applications in Genetics and Molecular Biology", "volume": "9", "number": "1",
        "year": "2010", "doi": "10.2202/1544-6115.1585",
    }),
    "holm1979simple": Reference("article", {
        "author": "Sture Holm", "title": "A simple sequentially rejective multiple test procedure",
        "journal": "Scandinavian Journal of Statistics", "volume": "6", "number": "2", "pages": "65--70",
        "year": "1979",
    }),
    "schuirmann1987comparison": Reference("article", {
        "author": "Donald J. Schuirmann",
        "title": "A comparison of the two one-sided tests procedure and the power approach for assessing the "
        "equivalence of average bioavailability",
        "journal": "Journal of Pharmacokinetics and Biopharmaceutics", "volume": "15", "number": "6",
        "pages": "657--680", "year": "1987",
    }),
    # This package.
    "freeze-or-prune": Reference("misc", {
        "author": "{The freeze-or-prune authors}", "title": "Freeze or prune?",
        "howpublished": "Software", "note": f"Version {__version__}",
    }),
}  # fmt: skip
