"""The public surface: names, signatures and docstrings; a change shows in ``tests/public_surface.txt``."""

import ast
import inspect
import re
import textwrap

import pytest

from tests import public_surface

NAMES = public_surface.names()
FUNCTIONS, CLASSES = public_surface.functions(), public_surface.classes()
MEMBERS = {
    f"{name}.{member}": value for name, cls in CLASSES.items() for member, value in public_surface.methods(cls).items()
}

# Classes that carry results, or that a function makes: the example is the function's, or the class's named here.
EXAMPLE_ELSEWHERE = {
    "AbstractCertificates": "concatenate",
    "Certificates": "certify",
    "OutputCertificates": "certify_outputs",
    "TopKCertificates": "certify_top_k",
    "ValueCertificates": "certify_values",
    "analysis.ClassWiseAccuracy": "analysis.class_wise_accuracy",
    "analysis.CurveEstimate": "analysis.estimate_curve",
    "analysis.LogWarning": "analysis.read_log",
    "analysis.OutputSummary": "analysis.output_summary",
    "analysis.Sandwich": "analysis.sandwich",
    "analysis.Summary": "analysis.summary",
    "analysis.ValueSummary": "analysis.value_summary",
    "Reason": "certify_curve",
    "designs.AbstractBallot": "designs.Agreement",
    "designs.AbstractDesign": "designs.Fixed",
    "designs.Finished": "designs.Fixed",
    "designs.Setting": "designs.Fixed",
    "designs.Winner": "designs.Agreement",
    "diagnostics.Attack": "diagnostics.attack",
    "bounds.AbstractFutility": "bounds.Unreachable",
    "diagnostics.ClasswiseOverSigma": "diagnostics.classwise_over_sigma",
    "diagnostics.ConeRate": "diagnostics.cone_rate_mc",
    "diagnostics.InterferenceDistance": "diagnostics.interference_distance",
    "diagnostics.MixtureBias": "diagnostics.mixture_bias_1d",
    "diagnostics.NoiseAugmentationGap": "diagnostics.noise_augmentation_gap",
    "diagnostics.RadiusOverSigma": "diagnostics.radius_over_sigma",
    "diagnostics.RegionShrinkage": "diagnostics.region_shrinkage",
    "diagnostics.SeedInterval": "diagnostics.seed_interval",
    "diagnostics.SigmaGrid": "diagnostics.sigma_grid",
    "denoisers.AbstractDenoiser": "denoisers.one_shot",
    "denoisers.ContinuousSchedule": "denoisers.continuous",
    "denoisers.Denoised": "denoised",
    "denoisers.OneShotDenoiser": "denoisers.one_shot",
    "denoisers.Schedule": "denoisers.schedule",
    "denoisers.TrainedDenoiser": "denoisers.trained",
    "interop.KerasClassifier": "interop.from_keras",
    "interop.LinenClassifier": "interop.from_linen",
    "interop.NNXClassifier": "interop.from_nnx",
    "interop.PythonClassifier": "interop.from_callable",
    "interop.PytreeClassifier": "interop.from_pytree",
    "interop.Randomized": "randomized",
    "interop.SoftClassifier": "soft",
    "interop.papers.PaperNetwork": "interop.papers.lenet",
    "interop.papers.UNetSizes": "interop.papers.unet_cifar",
    "ledger.Ledger": "ledger.read",
    "noises.AbstractNoise": "radii.radius_rule",
    "objectives.AbstractObjective": "objectives.GaussianAugmentation",
    "objectives.Aux": "objectives.GaussianAugmentation",
    "objectives.ClassCollapse": "objectives.class_collapse",
    "objectives.ClassCollapseWarning": "objectives.class_collapse",
    "objectives.Preset": "objectives.preset",
    "objectives.Recipe": "objectives.preset",
    "radii.MassError": "radii.LevelSet",
    "radii.RadiusRule": "radii.rules_for",
    "radii.SphericalDensity": "radii.LevelSet",
    "scales.ClippedScale": "scales.clip",
    "scales.ExtremeScale": "scales.maximum",
}
# Calls that raise for a bad argument.
CHECKS = re.compile(r"\b(_check|arguments|inputs)\.\w+\(|\b(check_|checked_|_checked)\w*\(|\braise\b")
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Warns", "References", "Example")

# design.md, section 4.
PROMISED = """
noises.Gaussian(sigma) noises.Laplace(sigma) noises.Uniform(sigma) noises.UniformBall(sigma) noises.ExpInf(sigma,k,j)
noises.PowInf(sigma,a) noises.Exp2(sigma,k,j) noises.Pow2(sigma,k,a) noises.Exp1(sigma,k) noises.Expp(sigma,p)
noises.Pareto(sigma,a) noises.InputDependentGaussian(sigma_at)
noises.AbstractNoise.sample(self,key,shape) noises.AbstractNoise.scale(self,dim)
bounds.clopper_pearson_lower(successes,trials,alpha) bounds.clopper_pearson_upper(successes,trials,alpha)
bounds.GroupSequential(n_max,alpha) bounds.GroupSequential.crossing_probability(self,p)
certified_radius(noise,p_lower,*,norm,dim,p_upper) required_probability(noise,radius,*,norm,dim)
radius_table(noise,*,n,alpha,norm,dim)
radii.semi_elastic_radius(p_lower,*,sigma,rate,dim) radii.semi_elastic_required_probability(radius,*,sigma,rate,dim)
count_votes(key,classify,noise,x,n,*,first,image_ids,batch_size,mesh)
certify_batch(key,classify,noise,x,table,*,n0,batch_size)
certificates(selection,votes,noise,*,dim,alpha,norm,runner_up) concatenate(certificates) Certificates.save(self,path)
Certificates.load(path) Certificates.to_dict(self)
designs.Fixed(n0,n,alpha,norm,runner_up) designs.Curve(radii,n_max,alpha,norm) designs.Adaptive(n0,n_max,alpha,norm)
designs.Predict(n,alpha)
certify_stream(key,classify,noise,batches,design,*,batch_size,mesh,ledger,progress)
recertify(ledger,noise,design,*,labels,x) noises.AbstractNoise.perturb(self,key,x)
certify(key,classify,noise,x,*,norm,n0,n,alpha,runner_up,image_ids,batch_size,mesh,ledger,progress)
certify_curve(key,classify,noise,x,radii,*,labels,norm,n_max,alpha,image_ids,batch_size,mesh,ledger,progress)
predict(key,classify,noise,x,*,n,alpha)
certify_top_k(key,classify,noise,x,labels,*,k,n0,n,alpha) radii.top_k_radius(p_lower,sums_upper,sigma)
certify_outputs(key,classify,noise,x,*,tau,radius,n0,n,alpha,method,mask)
certify_values(key,predict,noise,x,radius,*,edges,quantile,n,alpha)
bounds.holm(p,alpha) bounds.k_fwer(p,alpha,k) bounds.quantile_indices(n,q_lower,q_upper,alpha)
diagnostics.attack(key,classify,noise,certificates,x)
Votes(counts,invalid) Certificates(label,radius,p_lower,p_upper,samples,votes,noise,norm,alpha)
objectives.GaussianAugmentation() objectives.Stability(lam) objectives.Consistency(lam,eta,num_samples)
objectives.SmoothAdv() objectives.MACER() objectives.SmoothMix()
objectives.AbstractObjective.__call__(self,key,apply,noise,x,labels,*,step,has_state)
losses.consistency(logits,labels,lam,eta)
scales.Constant(sigma) scales.KNNScale(reference,sigma,rate,k,offset)
analysis.certified_accuracy(certificates,labels,radii) analysis.average_certified_radius(certificates,labels)
analysis.class_wise_accuracy(certificates,labels) analysis.write_log(path,certificates,labels) analysis.read_log(path)
analysis.plot_certified_accuracy()
diagnostics.ball_vanishing_sigma(R,d,*,threshold) diagnostics.ball_smoothed_radius(R,sigma,d,*,threshold)
diagnostics.cone_rate(theta,d,*,threshold) diagnostics.interval_risk()
datasets.load(name,split,*,data_dir)
interop.from_linen(model,variables) interop.from_nnx(model) interop.from_callable(fn,num_classes)
randomized(fn,fixed_key) soft(classify,temperature) denoised(denoiser,classify,resize)
denoisers.one_shot(network,schedule,sigma,output) denoisers.schedule(name,steps)
interop.papers.cifar_resnet110(state,normalize) interop.from_torch(module,num_classes) interop.from_keras(model)
interop.from_pytree(model)
""".split()


def documented(function_or_class) -> str:
    return inspect.getdoc(function_or_class) or ""


def sections(doc: str) -> dict[str, str]:
    """The text below each heading, unindented; the summary is under the empty name."""
    found, name = {"": ""}, ""
    for line in doc.splitlines():
        heading = re.fullmatch(r"(\w+):", line)
        if heading and heading[1] in SECTIONS:
            name = heading[1]
            found[name] = ""
        else:
            found[name] += line + "\n"
    return {name: textwrap.dedent(text) for name, text in found.items()}


def entries(text: str) -> list[str]:
    """The names that a section explains, without the stars of variable arguments."""
    return re.findall(r"^\*{0,2}(\w+):", text, re.MULTILINE)


def parameters(callable_) -> list[str]:
    return [name for name in inspect.signature(callable_).parameters if name not in ("self", "_")]


def fault_of_summary(doc: str) -> str | None:
    lines = doc.splitlines()
    if not lines or (len(lines) > 1 and lines[1]):
        return "no summary in one line"
    return None if lines[0][-1] in ".:?" else f"the summary has no end: {lines[0]!r}"


def faults_of_function(function, doc: str, *, example: bool) -> list[str]:
    """What is missing in the docstring of a function."""
    found, names = sections(doc), parameters(function)
    faults = [fault] if (fault := fault_of_summary(doc)) else []
    if entries(found.get("Args", "")) != names:
        faults.append(f"Args explains {entries(found.get('Args', ''))}, the parameters are {names}")
    gives = inspect.signature(function).return_annotation
    if gives not in (None, "None") and not {"Returns", "Yields"} & found.keys():
        faults.append("no Returns")
    body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    code = "\n".join(ast.unparse(statement) for statement in body.body)  # pyright: ignore[reportAttributeAccessIssue]
    if CHECKS.search(code.replace(doc, "")) and "Raises" not in found:
        faults.append("no Raises, though it refuses bad arguments")
    if example and ">>> " not in found.get("Example", ""):
        faults.append("no Example")
    return faults


def faults_of_class(name: str, cls: type) -> list[str]:
    doc = documented(cls)
    found = sections(doc)
    faults = [fault] if (fault := fault_of_summary(doc)) else []
    explained = entries(found.get("Args", "")) + entries(found.get("Attributes", ""))
    own = [] if inspect.isabstract(cls) or issubclass(cls, Exception | str) else parameters(cls)
    if own and set(own) - set(explained) and name not in MADE_BY_FUNCTIONS:
        faults.append(f"Args or Attributes explain {explained}, the parameters are {own}")
    if "Args" in found and entries(found["Args"]) != own:
        faults.append(f"Args explains {entries(found['Args'])}, the parameters are {own}")
    if ">>> " not in found.get("Example", "") and name not in EXAMPLE_ELSEWHERE:
        faults.append("no Example")
    return faults


# Nobody calls these: their functions do, and explain.
MADE_BY_FUNCTIONS = {"scales.ClippedScale", "scales.ExtremeScale"}


def test_the_surface_is_the_snapshot():
    """After a wanted change: ``python -m tests.public_surface``, and a line in the changelog."""
    assert public_surface.lines() == public_surface.SNAPSHOT.read_text().splitlines()


@pytest.mark.parametrize("promise", PROMISED)
def test_promised_names_have_their_parameters(promise):
    """In this order, positional before the star and by keyword after it; others may follow."""
    name, _, wanted = promise.removesuffix(")").partition("(")
    cls, _, member = name.rpartition(".")
    known = {**NAMES, **MEMBERS}
    actual = inspect.signature(known[name] if name in known else getattr(NAMES[cls], member)).parameters
    positional, _, keywords = wanted.partition("*")
    by_position = [parameter.name for parameter in actual.values() if parameter.kind is not parameter.KEYWORD_ONLY]
    first = [part for part in positional.split(",") if part]
    assert by_position[: len(first)] == first
    by_keyword = {parameter.name for parameter in actual.values() if parameter.kind is parameter.KEYWORD_ONLY}
    assert {part for part in keywords.split(",") if part} <= by_keyword


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_documented(name):
    assert faults_of_function(FUNCTIONS[name], documented(FUNCTIONS[name]), example=True) == []


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_documented(name):
    assert faults_of_class(name, CLASSES[name]) == []


def test_members_are_documented():
    """A summary; of methods with parameters also Args, unless they point to the method that they define."""
    faults = {}
    for name, member in MEMBERS.items():
        doc = documented(member)
        found = [fault] if (fault := fault_of_summary(doc)) else []
        defines = any(name.rpartition(".")[2] in vars(base) for base in _bases(name))
        if inspect.isfunction(member) and len(parameters(member)) > 1 and not defines and "``Abstract" not in doc:
            found += faults_of_function(member, doc, example=False)
        if found:
            faults[name] = found
    assert faults == {}


def _bases(member: str) -> tuple[type, ...]:
    return CLASSES[member.rpartition(".")[0]].__mro__[1:]


def test_examples_elsewhere_exist():
    for name, place in EXAMPLE_ELSEWHERE.items():
        assert name in CLASSES and ">>> " in documented(NAMES[place]), name
        assert ">>> " not in documented(CLASSES[name]), f"{name} has an example of its own by now"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_annotated(name):
    """Every parameter and what is returned."""
    signature = inspect.signature(FUNCTIONS[name])
    assert [p.name for p in signature.parameters.values() if p.annotation is p.empty] == []
    assert signature.return_annotation is not inspect.Signature.empty


def test_faults_of_docstrings_are_found():
    def half(value: float) -> float:
        """Half of it.

        Args:
            number: what.
        """
        if value < 0:
            raise ValueError(value)
        return value / 2

    assert len(faults_of_function(half, documented(half), example=True)) == 4
    assert fault_of_summary("Half of it") and fault_of_summary("") and fault_of_summary("Half\nof it.")
