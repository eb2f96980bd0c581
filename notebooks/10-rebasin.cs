#!/usr/bin/env dotnet
#:project ../src/OT/OT.csproj
#:project ../src/OT.Visuals/OT.Visuals.csproj
#:property PublishAot=false

// %% [markdown]
// # Two networks in one basin
//
// Train a small network twice, from two random starts. Both are right about 95 times in 100, yet the network halfway between them is far worse: the
// hidden units of one are numbered differently from those of the other, and averaging mixes units that have nothing to do with each other.
//
// Renumbering hidden units does not change what a network computes. We look for the numbering of the first network that makes the straight line to the second one
// flat. Each layer's numbering is a transport problem with equal weights; relaxed by entropy, it has derivatives, so any objective will do.

// %%
using System.Numerics.Tensors;
using OT.Applications.Rebasin;
using OT.Neural;
using OT.Numerics;
using OT.Visuals;

// %% [markdown]
// ## Data and two networks
//
// Points in ten dimensions; the class is the largest output of a fixed random network.

// %%
var random = new SeededRandom(1);
var teacher = new Mlp([10, 4, 3], Activation.Tanh);
foreach (ref double weight in teacher.Weights(0))
    weight = 0.7 * random.NextNormal();
foreach (ref double weight in teacher.Weights(1))
    weight = random.NextNormal();

LearningTask Draw(int count)
{
    var inputs = new Matrix(count, 10, [.. Enumerable.Range(0, count * 10).Select(_ => random.NextNormal())]);
    Matrix outputs = teacher.Forward(inputs);
    int[] labels = [.. Enumerable.Range(0, count).Select(i => TensorPrimitives.IndexOfMax(outputs.Row(i)))];
    return LearningTask.Classification(inputs, labels);
}

LearningTask train = Draw(4000);
LearningTask test = Draw(2000);

Mlp Trained(ulong seed)
{
    var stream = new SeededRandom(seed);
    Mlp net = Mlp.Random([10, 32, 32, 3], Activation.Relu, stream);
    train.Train(net, 1500, 128, new AdamOptions { LearningRate = 3e-3, L2Penalty = 1e-3 }, stream);
    return net;
}

Mlp a = Trained(100);
Mlp b = Trained(101);
Console.WriteLine($"accuracy of the two: {test.Evaluate(a).Accuracy:F3} and {test.Evaluate(b).Accuracy:F3}");
Console.WriteLine($"accuracy halfway between them: {test.Evaluate(Mlp.Interpolate(a, b, 0.5)).Accuracy:F3}");

// %% [markdown]
// ## Two ways to renumber
//
// Weight matching takes one layer after the other and solves an assignment problem for it. Sinkhorn re-basin moves all layers at once along the derivative of what we
// really want: a low loss halfway.

// %%
RebasinResult matched = WeightMatching.Align(a, b);
RebasinResult rebased = new SinkhornRebasin(new() { MaxIterations = 150 }).Align(a, b, RebasinObjective.MidPoint, train);
Console.WriteLine($"weight matching: {matched.Status} after {matched.Iterations} sweeps");
Console.WriteLine($"Sinkhorn re-basin: training loss halfway {rebased.History[0]:F3} before, {rebased.Objective:F3} after");

// %% [markdown]
// ## The way between them
//
// The barrier is how far the loss on the way rises above the straight line between its ends.

// %%
BarrierReport naive = LinearModeConnectivity.Evaluate(a, b, test);
BarrierReport afterMatching = LinearModeConnectivity.Evaluate(matched.Aligned, b, test);
BarrierReport afterRebasin = LinearModeConnectivity.Evaluate(rebased.Aligned, b, test);
foreach (
    (string name, BarrierReport report) in new[]
    {
        ("as trained", naive),
        ("weight matching", afterMatching),
        ("Sinkhorn re-basin", afterRebasin),
    }
)
    Console.WriteLine($"{name}: barrier {report.Barrier:F3}, lowest accuracy {report.LowestAccuracy:F3}");
BarrierPicture.Save(
    "rebasin-barrier.svg",
    ("as trained", naive),
    ("weight matching", afterMatching),
    ("Sinkhorn re-basin", afterRebasin)
);

// %% [markdown]
// ## What must hold
//
// The renumbered network is the same function, and the barrier is all but gone.

// %%
void Require(bool claim, string text)
{
    if (!claim)
        throw new InvalidOperationException($"Not so: {text}.");
    Console.WriteLine($"checked: {text}");
}

double difference = TensorPrimitives.Distance(a.Forward(test.Inputs).Values, rebased.Aligned.Forward(test.Inputs).Values);
Require(difference < 1e-10, "renumbering hidden units changes no output");
Require(naive.Barrier > 0.15, "the networks as trained lie in different basins");
Require(
    afterRebasin.Barrier < 0.06 && afterRebasin.Barrier <= afterMatching.Barrier,
    "the line between the aligned networks is flat"
);
